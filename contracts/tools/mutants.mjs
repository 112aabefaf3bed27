#!/usr/bin/env node
// Takes something out of the sources, and asks the tests whether they notice.
//
//   node tools/mutants.mjs attacks [test]       each defence that tools/attacks.json names is taken out; the attack's
//                                               own test has to fail then
//   node tools/mutants.mjs operators [part/of]  small changes of the network's contracts (an operator, a bound, a
//                                               condition, a modifier, a statement); some test has to fail. `2/4` makes every
//                                               fourth change, beginning with the second
//   node tools/mutants.mjs list                 prints the small changes and makes none
//
// Works in a copy under cache/, whose tests deploy contracts by their artifacts (forge's `dynamic_test_linking`): forge
// compiles the tests once, and a change costs the compilation of the contracts that it is in, without the optimiser, and
// a run of the tests. A change that no test notices is a survivor, and has to stand in tools/survivors.json with its
// reason. The exit code is 0 if all is noticed or explained. With `--json FILE` the outcome is written there.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import solc from 'solc';

import { forgePath } from './forge.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** What is changed by `operators`: the network's contracts, but for the token, which is OpenZeppelin's. */
const TARGETS = [
  'src/EarlyBonus.sol',
  'src/ProviderRegistry.sol',
  'src/ResultBoard.sol',
  'src/SlashSplit.sol',
  'src/ValidationGate.sol',
  'src/market/Awards.sol',
  'src/market/BasePrice.sol',
  'src/market/Fees.sol',
  'src/market/JobEscrow.sol',
  'src/market/JobMarket.sol',
  'src/market/MarketState.sol',
  'src/market/Payments.sol',
  'src/market/Rulings.sol',
  'src/market/Terms.sol',
];

/** The contracts under the tests. */
const DEPLOYED = ['src/*.sol', 'src/market/*.sol'];

/** The tests that answer for `operators`: all of these targets, but the long ones and those of gas. */
const OPERATOR_TESTS = ['--no-match-test', 'invariant|million|test_gas|testFuzz'];

/** Pattern, replacement. Each match in the code of a line is a change. */
const OPERATORS = [
  [/ < /, ' <= '], [/ <= /, ' < '], [/ > /, ' >= '], [/ >= /, ' > '], [/ == /, ' != '], [/ != /, ' == '],
  [/ && /, ' || '], [/ \|\| /, ' && '], [/ \+ /, ' - '], [/ - /, ' + '], [/ \* /, ' / '], [/ \/ (?!\/)/, ' * '],
  [/ \+= /, ' -= '], [/ -= /, ' += '], [/ \+= /, ' = '], [/\+\+/, '--'], [/--/, '++'],
  [/\b(\d[\d_]*) days\b/, '($1 days + 1)'], [/ = (\d[\d_]*);/, ' = $1 + 1;'], [/= (\d[\d_]*) ether;/, '= $1 ether + 1;'],
  [/!([\w(])/, '$1'], [/ external (nonReentrant|only\w+)/, ' external'],
];

/** A statement that can be left out: it changes state, pays, calls or refuses. Events are left alone. */
const STATEMENT = /^\s+(?!emit |return |bool |uint\d+ |address |Job |Lease |LeaseState |\(|Provider |Account |using |error |event |import |mapping)(if \(.*\) )?[\w.\[\]_-]+(\(| [-+]?= |\+\+|;).*;$|^\s+if \(.*\) (revert .*|return .*);$|^\s+(--|\+\+)[\w.]+;$/;

class Failure extends Error {}

function changes() {
  const all = [];
  for (const file of TARGETS) {
    const lines = readFileSync(join(ROOT, file), 'utf8').split('\n');
    lines.forEach((line, index) => {
      const code = line.replace(/\/\/.*$/, '');
      if (/^\s*(\/\/|\/\*|\*|import |pragma |error |event |using |emit )/.test(line) || code.trim() === '') return;
      for (const [pattern, replacement] of OPERATORS) {
        const every = new RegExp(pattern.source, 'g');
        for (const match of code.matchAll(every)) {
          // Loop counters and hexadecimal text are not arithmetic.
          if (/^\s*for \(/.test(code)) continue;
          const changed = code.slice(0, match.index) + match[0].replace(pattern, replacement) + code.slice(match.index + match[0].length);
          all.push({ file, line: index, text: changed, name: `${file}: ${line.trim()}  →  ${changed.trim()}` });
        }
      }
      if (STATEMENT.test(code)) all.push({ file, line: index, text: '', name: `${file}: ${line.trim()}  →  (left out)` });
    });
  }
  return all;
}

/** A copy of what forge needs. */
function workplace() {
  mkdirSync(join(ROOT, 'cache'), { recursive: true });
  const place = mkdtempSync(join(ROOT, 'cache', 'mutants-'));
  for (const name of ['src', 'test', 'script', 'tools', 'foundry.toml', 'package.json']) {
    if (existsSync(join(ROOT, name))) cpSync(join(ROOT, name), join(place, name), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(place, 'node_modules'));
  return place;
}

function forge(place, args) {
  const binary = forgePath();
  if (!binary) throw new Failure('forge is not installed: run `npm ci` in contracts/ first');
  const run = spawnSync(binary, ['test', '--root', place, ...args], {
    encoding: 'utf8',
    timeout: 600_000,
    env: {
      ...process.env,
      FOUNDRY_DENY: 'never',
      FOUNDRY_DYNAMIC_TEST_LINKING: 'true',
      FOUNDRY_LINT_LINT_ON_BUILD: 'false',
      FOUNDRY_OPTIMIZER: 'false',
      SOLC_ANSWERS: join(place, 'answers'),
    },
  });
  const text = `${run.stdout}${run.stderr}`;
  if (run.error && run.error.code !== 'ETIMEDOUT') throw new Failure(`forge did not start: ${run.error.message}`);
  if (/No tests (found|match)/i.test(text)) throw new Failure(`no test matches ${args.join(' ')}`);
  const killer = /\[FAIL.*\] (\w+)\(/.exec(text)?.[1];
  if (run.error || killer) return { outcome: 'noticed', by: killer ?? 'the time it takes' };
  // A run that did not happen must not pass for one in which nothing failed.
  if (run.status !== 0 || !/Suite result: ok\. [1-9]/.test(text)) throw new Failure(`forge ended with ${run.status}:\n${text.slice(-2000)}`);
  return { outcome: 'survived' };
}

/** Builds the workplace, sees its tests pass, and finds the contracts that can be changed under them. */
function contractsUnder(place, paths, args) {
  const sound = forge(place, args);
  if (sound.outcome !== 'survived') throw new Failure(`${sound.by} fails on the sources as they are`);
  const contracts = paths.flatMap(files).flatMap((file) => {
    const name = file.replace(/.*\/(.*)\.sol$/, '$1');
    const artifact = join(place, 'out', `${name}.sol`, `${name}.json`);
    const content = existsSync(artifact) ? readFileSync(artifact, 'utf8') : '{}';
    const { bytecode, metadata } = JSON.parse(content);
    if (!bytecode || bytecode.object === '0x') return [];
    const { compilationTarget, ...settings } = metadata.settings;
    const sources = Object.fromEntries(Object.keys(metadata.sources).map((path) => [path, { content: readFileSync(join(place, path), 'utf8') }]));
    const contract = { file, name, artifact, content, settings, sources };
    if (compiled(contract, {}) !== bytecode.object) throw new Failure(`${name} compiles to something else here than with forge`);
    return [contract];
  });
  // If the tests ran something else than what is put under them, nothing would ever be noticed.
  for (const contract of contracts.filter(({ name }) => ['JobMarket', 'ProviderRegistry'].includes(name))) {
    if (runWith(place, [[contract, '0x00']], args).outcome !== 'noticed') throw new Failure(`the tests pass without ${contract.name}`);
  }
  return contracts;
}

/** The bytecode of a contract with some of its files changed; undefined if that is no Solidity. */
function compiled({ file, name, settings, sources }, changed) {
  const outputSelection = { [file]: { [name]: ['evm.bytecode.object'] } };
  const texts = Object.entries(changed).filter(([path]) => path in sources).map(([path, content]) => [path, { content }]);
  const input = { language: 'Solidity', sources: { ...sources, ...Object.fromEntries(texts) }, settings: { ...settings, outputSelection } };
  const { contracts, errors } = JSON.parse(solc.compile(JSON.stringify(input)));
  if (errors?.some(({ severity }) => severity === 'error')) return undefined;
  return `0x${contracts[file][name].evm.bytecode.object}`;
}

/** What the tests say when they deploy other bytecode. */
function runWith(place, bytecodes, args) {
  const put = ([{ artifact, content }, object]) => {
    const json = JSON.parse(content);
    writeFileSync(artifact, JSON.stringify({ ...json, bytecode: { ...json.bytecode, object } }));
  };
  bytecodes.forEach(put);
  const said = forge(place, args);
  for (const [{ artifact, content }] of bytecodes) writeFileSync(artifact, content);
  return said;
}

/** What the tests say to changed files. */
function tried(place, contracts, changed, args) {
  const bytecodes = contracts.filter(({ sources }) => Object.keys(changed).some((path) => path in sources)).map((contract) => [contract, compiled(contract, changed)]);
  if (bytecodes.length === 0) throw new Failure(`${Object.keys(changed)} is in no contract`);
  return bytecodes.some(([, object]) => !object) ? { outcome: 'not compiled' } : runWith(place, bytecodes, args);
}

function files(pattern) {
  const [folder, name] = [dirname(pattern), pattern.slice(dirname(pattern).length + 1)];
  if (name !== '*.sol') return [pattern];
  return readdirSync(join(ROOT, folder)).filter((file) => file.endsWith('.sol')).map((file) => join(folder, file));
}

/** One defence taken out. Every edit has to be found, so that the list cannot outlive the sources. */
function edited(place, edits) {
  const changed = {};
  for (const [pattern, find, replace, mode] of edits) {
    let found = 0;
    for (const file of files(pattern)) {
      const text = changed[file] ?? readFileSync(join(place, file), 'utf8');
      const here = text.split(find).length - 1;
      if (here > 0) changed[file] = text.replaceAll(find, replace);
      found += here;
    }
    if (found === 0 || (mode !== 'all' && found !== 1)) throw new Failure(`${pattern} has ${found} × ${JSON.stringify(find)}`);
  }
  return changed;
}

function attacks(place, only) {
  const list = JSON.parse(readFileSync(join(ROOT, 'tools', 'attacks.json'), 'utf8'));
  for (const file of readdirSync(join(place, 'test'))) {
    if (file.endsWith('.t.sol') && file !== 'Attacks.t.sol') rmSync(join(place, 'test', file));
  }
  const named = new Set([...readFileSync(join(ROOT, 'test', 'Attacks.t.sol'), 'utf8').matchAll(/function (test_attack_\w+)/g)].map((m) => m[1]));
  for (const { test } of list) named.delete(test) || readFileSync(join(ROOT, 'test', 'Attacks.t.sol'), 'utf8').includes(`function ${test}(`) || fail(`tools/attacks.json names ${test}, which is no test`);
  if (named.size > 0) throw new Failure(`no defence is named for ${[...named].join(', ')}`);
  const contracts = contractsUnder(place, [...DEPLOYED, 'test/PaymentHarness.sol'], []);
  return list.filter(({ test }) => !only || test === only).map(({ test, defence, edits }) => {
    const { outcome } = tried(place, contracts, edited(place, edits), ['--match-test', `^${test}(\\(|$)`]);
    if (outcome === 'not compiled') throw new Failure(`without "${defence}" nothing compiles`);
    console.error(`${outcome}  ${test}, without: ${defence}`);
    return { name: `${test}, without: ${defence}`, outcome };
  });
}

function fail(why) {
  throw new Failure(why);
}

function operators(place, part) {
  const [first, step] = part ? part.split('/').map(Number) : [1, 1];
  const all = changes();
  for (const name of Object.keys(reasons())) all.some((change) => change.name === name) || fail(`tools/survivors.json speaks of what is no change: ${name}`);
  const mine = all.filter((_, index) => index % step === (first - 1) % step);
  for (const file of readdirSync(join(place, 'test'))) {
    if (/^(MarketInvariants|MarketGas|MarketHandler|SeedstormCollection|RawCid|StormToken)(\.t)?\.sol$/.test(file)) rmSync(join(place, 'test', file));
  }
  const contracts = contractsUnder(place, DEPLOYED, OPERATOR_TESTS);
  return mine.map((change, index) => {
    const lines = readFileSync(join(place, change.file), 'utf8').split('\n');
    lines[change.line] = change.text;
    const { outcome, by } = tried(place, contracts, { [change.file]: lines.join('\n') }, ['--fail-fast', ...OPERATOR_TESTS]);
    console.error(`${index + 1}/${mine.length}  ${outcome}${by ? ` by ${by}` : ''}  ${change.name}`);
    return { name: change.name, line: change.line + 1, outcome, by };
  });
}

/** Why survivors survive, by the names of the changes. */
function reasons() {
  return JSON.parse(readFileSync(join(ROOT, 'tools', 'survivors.json'), 'utf8'));
}

function report(results, json) {
  const why = reasons();
  const count = (outcome) => results.filter((result) => result.outcome === outcome).length;
  const survivors = results.filter((result) => result.outcome === 'survived');
  const unexplained = survivors.filter((result) => !why[result.name]);
  for (const { name } of survivors) console.log(`survived: ${name}\n    ${why[name] ?? 'NO REASON GIVEN'}`);
  console.log(`${results.length} changes: ${count('noticed')} noticed, ${count('not compiled')} not compiled, ${survivors.length} survived, ${unexplained.length} of them without a reason`);
  if (json) writeFileSync(json, `${JSON.stringify({ results, reasons: why }, null, 2)}\n`);
  return unexplained.length === 0 ? 0 : 1;
}

const args = process.argv.slice(2);
const at = args.indexOf('--json');
const json = at < 0 ? undefined : args.splice(at, 2)[1];
const place = args[0] === 'list' ? undefined : workplace();
try {
  if (args[0] === 'list') {
    const all = changes();
    for (const { line, name } of all) console.log(name.replace(':', `:${line + 1}:`));
    console.log(`${all.length} changes`);
  } else if (args[0] === 'attacks') process.exitCode = report(attacks(place, args[1]), json);
  else if (args[0] === 'operators') process.exitCode = report(operators(place, args[1]), json);
  else throw new Failure('usage: mutants.mjs attacks | operators [part/of] | list [--json FILE]');
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(`mutants: ${error.message}`);
  process.exitCode = 1;
} finally {
  if (place) rmSync(place, { recursive: true, force: true });
}
