#!/usr/bin/env node
// Takes something out of the sources, and asks the tests whether they notice.
//
//   node tools/mutants.mjs attacks [test]       each defence that tools/attacks.json names is taken out; the attack's
//                                               own test has to fail then
//   node tools/mutants.mjs operators [part/of]  small changes of escrow, vouchers and stakes (an operator, a bound, a
//                                               condition, a statement); some test has to fail. `2/8` makes every
//                                               eighth change, beginning with the second
//   node tools/mutants.mjs list                 prints the small changes and makes none
//
// Works in a copy under cache/. A change that no test notices is a survivor, and has to stand in tools/survivors.json
// with its reason. The exit code is 0 if all is noticed or explained. With `--json FILE` the outcome is written there.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { forgePath } from './forge.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** What is changed by `operators`: escrow, vouchers and stakes. */
const TARGETS = [
  'src/ProviderRegistry.sol',
  'src/SlashSplit.sol',
  'src/market/Awards.sol',
  'src/market/Fees.sol',
  'src/market/JobEscrow.sol',
  'src/market/JobMarket.sol',
  'src/market/MarketState.sol',
  'src/market/Payments.sol',
  'src/market/Rulings.sol',
  'src/market/Terms.sol',
];

/** The tests that answer for `operators`: all of these targets, but the long ones and those of gas. */
const OPERATOR_TESTS = ['--no-match-test', 'invariant|million|test_gas|testFuzz'];

/** Pattern, replacement. Each match in the code of a line is a change. */
const OPERATORS = [
  [/ < /, ' <= '], [/ <= /, ' < '], [/ > /, ' >= '], [/ >= /, ' > '], [/ == /, ' != '], [/ != /, ' == '],
  [/ && /, ' || '], [/ \|\| /, ' && '], [/ \+ /, ' - '], [/ - /, ' + '], [/ \* /, ' / '], [/ \/ (?!\/)/, ' * '],
  [/ \+= /, ' -= '], [/ -= /, ' += '], [/ \+= /, ' = '], [/\+\+/, '--'], [/--/, '++'],
  [/\b(\d[\d_]*) days\b/, '($1 days + 1)'], [/ = (\d[\d_]*);/, ' = $1 + 1;'], [/= (\d[\d_]*) ether;/, '= $1 ether + 1;'],
];

/** A statement that can be left out: it changes state, pays, calls or refuses. Events are left alone. */
const STATEMENT = /^\s+(?!emit |return |bool |uint\d+ |address |Job |Lease |LeaseState |\(|Provider |Account |using |error |event |import )(if \(.*\) )?[\w.\[\]_-]+(\(| [-+]?= |\+\+|;).*;$|^\s+if \(.*\) (revert .*|return .*);$|^\s+(--|\+\+)[\w.]+;$/;

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
          all.push({ file, line: index, from: line.trim(), to: changed.trim(), text: changed });
        }
      }
      if (STATEMENT.test(code)) all.push({ file, line: index, from: line.trim(), to: '', text: '' });
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
    env: { ...process.env, FOUNDRY_LINT_LINT_ON_BUILD: 'false', FOUNDRY_DENY: 'never' },
  });
  const text = `${run.stdout}${run.stderr}`;
  if (run.error && run.error.code !== 'ETIMEDOUT') throw new Failure(`forge did not start: ${run.error.message}`);
  if (/Compiler run failed/.test(text)) return { outcome: 'not compiled', text };
  if (/No tests (found|match)/i.test(text)) throw new Failure(`no test matches ${args.join(' ')}`);
  const killer = /\[FAIL.*\] (\w+)\(/.exec(text)?.[1];
  if (run.error || killer) return { outcome: 'noticed', by: killer ?? 'the time it takes', text };
  // A run that did not happen must not pass for one in which nothing failed.
  if (run.status !== 0 || !/Suite result: ok\. [1-9]/.test(text)) throw new Failure(`forge ended with ${run.status}:\n${text.slice(-2000)}`);
  return { outcome: 'survived', text };
}

function files(pattern) {
  const [folder, name] = [dirname(pattern), pattern.slice(dirname(pattern).length + 1)];
  if (name !== '*.sol') return [pattern];
  return readdirSync(join(ROOT, folder)).filter((file) => file.endsWith('.sol')).map((file) => join(folder, file));
}

/** One defence taken out. Every edit has to be found, so that the list cannot outlive the sources. */
function edit(place, [pattern, find, replace, mode]) {
  let found = 0;
  for (const file of files(pattern)) {
    const text = readFileSync(join(place, file), 'utf8');
    found += text.split(find).length - 1;
    writeFileSync(join(place, file), text.replaceAll(find, replace));
  }
  if (found === 0 || (mode !== 'all' && found !== 1)) throw new Failure(`${pattern} has ${found} × ${JSON.stringify(find)}`);
}

function restore(place) {
  rmSync(join(place, 'src'), { recursive: true });
  cpSync(join(ROOT, 'src'), join(place, 'src'), { recursive: true });
}

function attacks(place, only) {
  const list = JSON.parse(readFileSync(join(ROOT, 'tools', 'attacks.json'), 'utf8'));
  for (const file of readdirSync(join(place, 'test'))) {
    if (file.endsWith('.t.sol') && file !== 'Attacks.t.sol') rmSync(join(place, 'test', file));
  }
  const sound = forge(place, []);
  if (sound.outcome !== 'survived') throw new Failure(`the attacks do not even fail on the sources:\n${sound.text.slice(-2000)}`);
  const named = new Set([...readFileSync(join(ROOT, 'test', 'Attacks.t.sol'), 'utf8').matchAll(/function (test_attack_\w+)/g)].map((m) => m[1]));
  for (const { test } of list) named.delete(test) || readFileSync(join(ROOT, 'test', 'Attacks.t.sol'), 'utf8').includes(`function ${test}(`) || fail(test);
  if (named.size > 0) throw new Failure(`no defence is named for ${[...named].join(', ')}`);
  return list.filter(({ test }) => !only || test === only).map(({ test, defence, edits }) => {
    for (const each of edits) edit(place, each);
    const { outcome, text } = forge(place, ['--match-test', `^${test}(\\(|$)`]);
    restore(place);
    if (outcome === 'not compiled') throw new Failure(`without "${defence}" nothing compiles:\n${text.slice(-1500)}`);
    return { name: `${test}, without: ${defence}`, outcome };
  });
}

function fail(test) {
  throw new Failure(`tools/attacks.json names ${test}, which is no test`);
}

function operators(place, part) {
  const [first, step] = part ? part.split('/').map(Number) : [1, 1];
  const mine = changes().filter((_, index) => index % step === (first - 1) % step);
  for (const file of readdirSync(join(place, 'test'))) {
    if (/^(MarketInvariants|MarketGas|MarketHandler|SeedstormCollection|RawCid|ResultBoard|EarlyBonus|StormToken)(\.t)?\.sol$/.test(file)) rmSync(join(place, 'test', file));
  }
  if (forge(place, OPERATOR_TESTS).outcome !== 'survived') throw new Failure('the tests fail on the sources as they are');
  return mine.map((change, index) => {
    const path = join(place, change.file);
    const text = readFileSync(path, 'utf8');
    const lines = text.split('\n');
    lines[change.line] = change.text;
    writeFileSync(path, lines.join('\n'));
    const { outcome, by } = forge(place, ['--fail-fast', ...OPERATOR_TESTS]);
    writeFileSync(path, text);
    const name = `${change.file}: ${change.from}  →  ${change.to || '(left out)'}`;
    console.error(`${index + 1}/${mine.length}  ${outcome}${by ? ` by ${by}` : ''}  ${name}`);
    return { name, line: change.line + 1, outcome, by };
  });
}

function report(results, json) {
  const path = join(ROOT, 'tools', 'survivors.json');
  const reasons = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
  const count = (outcome) => results.filter((result) => result.outcome === outcome).length;
  const survivors = results.filter((result) => result.outcome === 'survived');
  const unexplained = survivors.filter((result) => !reasons[result.name]);
  for (const { name } of survivors) console.log(`survived: ${name}\n    ${reasons[name] ?? 'NO REASON GIVEN'}`);
  console.log(`${results.length} changes: ${count('noticed')} noticed, ${count('not compiled')} not compiled, ${survivors.length} survived, ${unexplained.length} of them without a reason`);
  if (json) writeFileSync(json, `${JSON.stringify({ results, reasons }, null, 2)}\n`);
  return unexplained.length === 0 ? 0 : 1;
}

const args = process.argv.slice(2);
const at = args.indexOf('--json');
const json = at < 0 ? undefined : args.splice(at, 2)[1];
const place = args[0] === 'list' ? undefined : workplace();
try {
  if (args[0] === 'list') {
    const all = changes();
    for (const { file, line, from, to } of all) console.log(`${file}:${line + 1}: ${from}  →  ${to || '(left out)'}`);
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
