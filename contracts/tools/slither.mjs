#!/usr/bin/env node
// Runs Slither (PyPI: slither-analyzer) over the sources. A finding above low has to stand in tools/slither.json with its
// reason, and a reason has to have its finding.
//
//   node tools/slither.mjs            the program is $SLITHER, or `slither` on the PATH
//
// forge compiles first, because Slither knows native compilers alone.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { forgePath } from './forge.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

class Failure extends Error {}

function run(program, args) {
  const env = { ...process.env, PATH: `${dirname(forgePath())}:${process.env.PATH}` };
  const done = spawnSync(program, args, { encoding: 'utf8', cwd: ROOT, env });
  if (done.error) throw new Failure(`${program} did not start: ${done.error.message}`);
  return done;
}

function findings(place) {
  const out = relative(ROOT, join(place, 'out'));
  const built = run(forgePath(), ['build', '--force', '--build-info', '--skip', 'test', '--skip', 'script', '--out', out, '--cache-path', join(place, 'cache')]);
  if (built.status !== 0) throw new Failure(`forge build failed:\n${built.stdout}${built.stderr}`);
  const json = join(place, 'slither.json');
  const args = ['.', '--ignore-compile', '--foundry-out-directory', out, '--filter-paths', '(node_modules|test|script)/', '--exclude-informational', '--exclude-optimization', '--exclude-low', '--json', json];
  const done = run(process.env.SLITHER ?? 'slither', args);
  if (!existsSync(json)) throw new Failure(`slither wrote nothing:\n${done.stderr.slice(-2000)}`);
  const report = JSON.parse(readFileSync(json, 'utf8'));
  if (!report.success) throw new Failure(`slither failed: ${report.error}`);
  return (report.results.detectors ?? []).map(({ check, impact, description }) => {
    const where = /(?:in |^)?(\w+\.\w+)\(/.exec(description)?.[1] ?? description;
    return { check, impact, in: where, description };
  });
}

mkdirSync(join(ROOT, 'cache'), { recursive: true });
const place = mkdtempSync(join(ROOT, 'cache', 'slither-'));
try {
  if (!forgePath()) throw new Failure('forge is not installed: run `npm ci` in contracts/ first');
  const reasons = JSON.parse(readFileSync(join(ROOT, 'tools', 'slither.json'), 'utf8'));
  const found = findings(place);
  const same = (a) => (b) => a.check === b.check && a.in === b.in;
  for (const each of found.filter((finding) => !reasons.some(same(finding)))) {
    console.error(`${each.impact}: ${each.check} in ${each.in}\n${each.description}`);
    process.exitCode = 1;
  }
  for (const each of reasons.filter((reason) => !found.some(same(reason)))) {
    console.error(`tools/slither.json explains ${each.check} in ${each.in}, which is not found any more`);
    process.exitCode = 1;
  }
  console.log(`${found.length} finding(s) above low, ${found.filter((finding) => reasons.some(same(finding))).length} explained`);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(`slither: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(place, { recursive: true, force: true });
}
