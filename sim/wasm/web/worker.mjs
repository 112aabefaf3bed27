// Runs one world beside the page, which stays awake.

import { Seedstorm } from "./seedstorm.mjs";

onmessage = ({ data: { module, recipe } }) => {
  try {
    const proof = new Seedstorm(module).prove(recipe, (step, steps) => postMessage({ step, steps }));
    postMessage({ proof });
  } catch (error) {
    postMessage({ error: error.message });
  }
};
