#!/usr/bin/env node
// Makes the committed artifacts, `artifacts/<Contract>.json`, from the sources:
//
//   node tools/artifacts.mjs           compiles and writes them
//   node tools/artifacts.mjs --check   compiles and fails, in words, where a committed file says something else
//
// An artifact holds what a client needs to deploy and call a contract, and the settings that repeat its bytes. Nothing
// in it depends on the machine: the bytecode carries no metadata hash (`bytecode_hash = "none"`).

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { forgePath } from './forge.mjs';

const CONTRACTS = [
  'EarlyBonus',
  'JobMarket',
  'ProviderRegistry',
  'ResultBoard',
  'SeedstormCollection',
  'StormToken',
  'ValidationGate',
];
const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const ARTIFACTS = join(ROOT, 'artifacts');

/** Ends the run with a message that says what to do. */
class Failure extends Error {}

/** Compiles into a folder of its own, so that a build in `out/` can neither help nor disturb. */
function compile() {
  const forge = forgePath();
  if (!forge) throw new Failure('forge is not installed: run `npm ci` in contracts/ first');
  mkdirSync(join(ROOT, 'cache'), { recursive: true });
  const out = mkdtempSync(join(ROOT, 'cache', 'artifacts-'));
  try {
    const paths = ['--out', join(out, 'out'), '--cache-path', join(out, 'cache')];
    const run = spawnSync(forge, ['build', '--force', '--skip', 'test', 'script', '--root', ROOT, ...paths], { encoding: 'utf8' });
    if (run.error) throw new Failure(`forge did not start: ${run.error.message}`);
    if (run.status !== 0) throw new Failure(`forge build failed:\n${run.stdout}${run.stderr}`);
    return Object.fromEntries(CONTRACTS.map((name) => [name, artifact(name, join(out, 'out'))]));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** The text of one artifact, from what forge compiled. */
function artifact(name, out) {
  const built = JSON.parse(readFileSync(join(out, `${name}.sol`, `${name}.json`), 'utf8'));
  const { compiler, settings } = built.metadata;
  for (const part of ['bytecode', 'deployedBytecode']) {
    if (!/^0x([0-9a-f]{2})+$/.test(built[part].object)) throw new Failure(`${name}: ${part} is empty or not linked`);
  }
  const document = {
    contractName: name,
    compiler: { name: 'solc', version: compiler.version.replace(/\.(Emscripten\.clang|Linux\.g\+\+)$/, '') },
    settings: {
      evmVersion: settings.evmVersion,
      optimizer: settings.optimizer,
      viaIR: settings.viaIR ?? false,
      metadata: settings.metadata,
    },
    abi: built.abi,
    bytecode: built.bytecode.object,
    deployedBytecode: built.deployedBytecode.object,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function write(compiled) {
  mkdirSync(ARTIFACTS, { recursive: true });
  for (const [name, text] of Object.entries(compiled)) {
    const path = join(ARTIFACTS, `${name}.json`);
    writeFileSync(`${path}.tmp`, text);
    renameSync(`${path}.tmp`, path);
    console.log(`wrote artifacts/${name}.json`);
  }
}

function check(compiled) {
  const wrong = [];
  for (const [name, text] of Object.entries(compiled)) {
    const path = join(ARTIFACTS, `${name}.json`);
    if (!existsSync(path)) {
      wrong.push(`artifacts/${name}.json is missing`);
      continue;
    }
    const committed = readFileSync(path, 'utf8');
    if (committed !== text) wrong.push(`artifacts/${name}.json is not what the sources compile to: ${difference(committed, text)}`);
  }
  for (const file of existsSync(ARTIFACTS) ? readdirSync(ARTIFACTS) : []) {
    if (!CONTRACTS.includes(file.replace(/\.json$/, ''))) wrong.push(`artifacts/${file} belongs to no contract`);
  }
  if (wrong.length > 0) throw new Failure(`${wrong.join('\n')}\nRun \`node tools/artifacts.mjs\` in contracts/ and commit the result.`);
  console.log(`${CONTRACTS.length} artifact(s) equal what the sources compile to`);
}

/** Names the parts in which two artifacts differ. */
function difference(committed, compiled) {
  try {
    const [a, b] = [JSON.parse(committed), JSON.parse(compiled)];
    const parts = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    const differing = parts.filter((part) => JSON.stringify(a[part]) !== JSON.stringify(b[part]));
    return differing.length > 0 ? `${differing.join(', ')} differ` : 'only the layout of the file differs';
  } catch {
    return 'the committed file is not JSON';
  }
}

try {
  const args = process.argv.slice(2);
  if (args.length > 1 || (args.length === 1 && args[0] !== '--check')) throw new Failure(`usage: artifacts.mjs [--check]`);
  const compiled = compile();
  if (args[0] === '--check') check(compiled);
  else write(compiled);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(`artifacts: ${error.message}`);
  process.exitCode = 1;
}
