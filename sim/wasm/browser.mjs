// The page in a headless Chromium, with the module that is to be tried.

import { accessSync, constants, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { delimiter, extname, join } from "node:path";

import { chromium } from "playwright-core";

const types = { ".html": "text/html", ".mjs": "text/javascript", ".wasm": "application/wasm" };
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Opens the page: `prove` runs a recipe there as a person would, and `close` ends the browser. */
export async function open(modulePath) {
  const server = createServer((request, response) => {
    const name = request.url === "/" ? "/index.html" : request.url;
    // These names are all there is; the address of a request is nobody's path.
    const known = ["/index.html", "/seedstorm.mjs", "/worker.mjs", "/seedstorm_sim_wasm.wasm"].includes(name);
    if (!known) return response.writeHead(404).end();
    const path = extname(name) === ".wasm" ? modulePath : new URL(`web${name}`, import.meta.url);
    response.writeHead(200, { "content-type": types[extname(name)] }).end(readFileSync(path));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const browser = await chromium.launch({ executablePath: onPath("chromium"), args: flags });
  const close = async () => {
    await browser.close();
    server.close();
  };
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const prove = async (recipe) => {
      await page.fill("#recipe", recipe);
      await page.click("#run");
      const end = await page.waitForSelector("body[data-state=done], body[data-state=failed]");
      if ((await end.getAttribute("data-state")) === "failed") throw new Error(await page.textContent("#error"));
      return JSON.parse(await page.textContent("#proof"));
    };
    return { prove, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function onPath(program) {
  for (const folder of process.env.PATH.split(delimiter)) {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return join(folder, program);
    } catch {
      // The next folder may have it.
    }
  }
  throw new Error(`${program} is not on the PATH`);
}
