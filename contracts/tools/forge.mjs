// Where forge's own binary is. `node_modules/.bin/forge` is a script that starts it and ends with 0 whatever becomes of
// it, so nothing that must fail may go through that.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** The path of the binary for this machine; undefined if `npm ci` was not run. */
export function forgePath() {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const name = process.platform === 'win32' ? 'forge.exe' : 'forge';
  const path = join(ROOT, 'node_modules', '@foundry-rs', `forge-${process.platform}-${arch}`, 'bin', name);
  return existsSync(path) ? path : undefined;
}
