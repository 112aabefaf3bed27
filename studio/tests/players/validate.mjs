// Says in JSON what Khronos' validator finds in a glTF file: `node validate.mjs FILE`.
import { readFileSync } from "node:fs";
import validator from "gltf-validator";

const file = new Uint8Array(readFileSync(process.argv[2]));
const report = await validator.validateBytes(file, { maxIssues: 100 });
console.log(JSON.stringify({ issues: report.issues, info: report.info }));
