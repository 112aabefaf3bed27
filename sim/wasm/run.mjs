// Runs worlds under WebAssembly, in Node or in the page `web/index.html` in a headless Chromium:
//
//     node run.mjs [--browser] MODULE.wasm bloom 7        prints what the world of a seed proves
//     node run.mjs [--browser] MODULE.wasm RECIPE.json    prints what the recipe's world proves
//     node run.mjs [--browser] MODULE.wasm --golden       compares every row of ../tests/golden.json

import { readFileSync } from "node:fs";

import { Seedstorm, recipe } from "./web/seedstorm.mjs";

const golden = new URL("../tests/golden.json", import.meta.url);

async function main(browser, path, what, seed) {
  const module = new WebAssembly.Module(readFileSync(path));
  const page = browser ? await (await import("./browser.mjs")).open(path) : undefined;
  // A fresh instance a world, as a page has it.
  const prove = page ? page.prove : (text) => new Seedstorm(module).prove(text);
  try {
    const description = new Seedstorm(module).describe();
    if (what !== "--golden") {
      const [newest] = description.scenarios.map(([id]) => id).filter((id) => id.split("@")[0] === what).slice(-1);
      const text = seed === undefined ? readFileSync(what, "utf8") : recipe(description, newest ?? what, seed);
      console.log(JSON.stringify(await prove(text)));
      return true;
    }
    let equal = true;
    for (const { scenario, seed, params, ...expected } of JSON.parse(readFileSync(golden))) {
      const start = performance.now();
      const found = await prove(recipe(description, scenario, seed, params));
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      const other = Object.keys(expected).filter((name) => found[name] !== expected[name]);
      console.log(`${scenario} ${seed}: ${found.elements} elements, ${found.steps} steps, ${seconds} s`);
      for (const name of other) console.log(`  ${name} is ${found[name]}, and not ${expected[name]}`);
      equal &&= other.length === 0;
    }
    return equal;
  } finally {
    await page?.close();
  }
}

const words = process.argv.slice(2);
const browser = words[0] === "--browser" && Boolean(words.shift());
if (words.length < 2 || words.length > 3) {
  console.error("usage: node run.mjs [--browser] MODULE.wasm SCENARIO SEED|RECIPE.json|--golden");
  process.exitCode = 2;
} else if (!(await main(browser, ...words))) {
  process.exitCode = 1;
}
