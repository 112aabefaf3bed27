// The module's other side, for Node and for browsers. `src/exports.rs` says how the two speak.

const [GOES_ON, DONE] = [0, 1];

/** An instance of the module. After an error it is not used again. */
export class Seedstorm {
  #exports;

  /** @param {WebAssembly.Module} module */
  constructor(module) {
    this.#exports = new WebAssembly.Instance(module).exports;
  }

  /** The engine's name, a film, and each scenario with what it is. */
  describe() {
    this.#exports.seedstorm_describe();
    return JSON.parse(this.#output());
  }

  /**
   * Runs a recipe's world to its end, on the thread that asks, and returns what that proves.
   *
   * @param {string} recipe its JSON
   * @param {(step: number, steps: number) => void} progress
   */
  prove(recipe, progress = () => {}) {
    const { memory, ...wasm } = this.#exports;
    const bytes = new TextEncoder().encode(recipe);
    // The memory may have grown, so that it is looked at anew after every call.
    const place = wasm.seedstorm_input(bytes.length) >>> 0;
    new Uint8Array(memory.buffer, place, bytes.length).set(bytes);
    let state;
    try {
      state = wasm.seedstorm_begin();
      while (state === GOES_ON) {
        progress(wasm.seedstorm_step(), wasm.seedstorm_steps());
        state = wasm.seedstorm_advance();
      }
    } catch (trap) {
      throw new Error(this.#output() || "the module stopped without a word", { cause: trap });
    }
    if (state !== DONE) throw new Error(this.#output());
    return JSON.parse(this.#output());
  }

  #output() {
    const { memory, ...wasm } = this.#exports;
    const [place, bytes] = [wasm.seedstorm_output() >>> 0, wasm.seedstorm_output_bytes()];
    return new TextDecoder().decode(new Uint8Array(memory.buffer, place, bytes));
  }
}

/**
 * The JSON of a recipe of which only the world matters.
 *
 * @param {{ engine: string, film: object }} description what `describe` says
 * @param {string} scenario name and version
 * @param {string | number} seed a decimal number, or 64 hexadecimal digits
 * @param {Record<string, number | string>} params
 */
export function recipe({ engine, film }, scenario, seed, params = {}) {
  const text = String(seed).trim().toLowerCase();
  const digits = /^[0-9a-f]{64}$/.test(text) ? text : BigInt(text).toString(16).padStart(64, "0");
  return JSON.stringify({ engine, scenario, seed: digits, params, film });
}
