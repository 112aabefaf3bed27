#!/usr/bin/env node
// Makes `../golden/cids.json`: the CIDs that an independent implementation of UnixFS (npm `ipfs-unixfs-importer`, whose
// CIDs are Kubo's) gives to fixtures that mint's tests make again, byte for byte.
//
//   npm ci && node cids.mjs            writes the table
//   npm ci && node cids.mjs --check    fails, in words, where the committed table differs from the oracle's

import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BlackHoleBlockstore } from 'blockstore-core/black-hole';
import { importer } from 'ipfs-unixfs-importer';
import { fixedSize } from 'ipfs-unixfs-importer/chunker';
import { balanced } from 'ipfs-unixfs-importer/layout';

const TABLE = join(import.meta.dirname, '..', 'golden', 'cids.json');
const MIB = 1024 * 1024;

/** Ways of cutting a file up. `kubo` is what content uses; the others are there because Kubo has them, or to be small. */
const LAYOUTS = {
  kubo: { version: 1, rawLeaves: true, chunkBytes: MIB, linksPerNode: 1024 },
  'v1-256k': { version: 1, rawLeaves: true, chunkBytes: 256 * 1024, linksPerNode: 174 },
  'v0-256k': { version: 0, rawLeaves: false, chunkBytes: 256 * 1024, linksPerNode: 174 },
  // Three links a node: a deep tree out of few bytes.
  'v1-deep': { version: 1, rawLeaves: true, chunkBytes: 64, linksPerNode: 3 },
  'v0-deep': { version: 0, rawLeaves: false, chunkBytes: 64, linksPerNode: 3 },
};

const FILES = {
  kubo: [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 200 * MIB],
  'v1-256k': [0, 1, 262143, 262144, 262145, MIB + 1, 174 * 262144, 174 * 262144 + 1],
  'v0-256k': [0, 1, 262143, 262144, 262145, MIB + 1, 174 * 262144, 174 * 262144 + 1],
  'v1-deep': [63, 64, 65, 192, 193, 576, 577, 1728, 1729, 5184, 5185, 20000],
  'v0-deep': [63, 64, 65, 192, 193, 576, 577, 1728, 1729, 5184, 5185, 20000],
};

/** Folders as lists of [path, bytes]. */
const FOLDERS = {
  // Names without leading zeros, so that their order as bytes is not their order as numbers.
  thousand: Array.from({ length: 1000 }, (_, i) => [`file-${i}.bin`, 37 * i]),
  // Names whose order as UTF-8 bytes is not their order as UTF-16 units.
  names: ['~', 'é', '～', '😀', 'Z', 'a', '.hidden', 'a b'].map((name, i) => [name, i + 1]),
  bundle: [
    ['recipe.json', 300],
    ['poster.png', 70000],
    ['film.mp4', 3 * MIB + 5],
    ['trajectory.bin', 2 * MIB],
    ...Array.from({ length: 12 }, (_, i) => [`frames/${String(i).padStart(4, '0')}.png`, 90000 + i]),
  ],
};

/** The first `bytes` bytes of sha256(u64be(0)) ‖ sha256(u64be(1)) ‖ …, in pieces. */
async function* content(bytes) {
  const counter = Buffer.alloc(8);
  const piece = Buffer.alloc(MIB);
  for (let start = 0; start < bytes; start += piece.length) {
    const length = Math.min(piece.length, bytes - start);
    for (let at = 0; at < length; at += 32) {
      counter.writeBigUInt64BE(BigInt((start + at) / 32));
      createHash('sha256').update(counter).digest().copy(piece, at);
    }
    yield Uint8Array.from(piece.subarray(0, length));
  }
}

function options({ version, rawLeaves, chunkBytes, linksPerNode }) {
  return {
    cidVersion: version,
    rawLeaves,
    leafType: 'file',
    reduceSingleLeafToSelf: true,
    chunker: fixedSize({ chunkSize: chunkBytes }),
    layout: balanced({ maxChildrenPerNode: linksPerNode }),
    fileImportConcurrency: 1,
    blockWriteConcurrency: 1,
  };
}

async function root(candidates, layout) {
  let last;
  for await (const entry of importer(candidates, new BlackHoleBlockstore(), options(LAYOUTS[layout]))) last = entry;
  return last.cid.toString();
}

async function table() {
  const rows = [];
  for (const [layout, sizes] of Object.entries(FILES)) {
    for (const bytes of sizes) {
      rows.push({ file: bytes, layout, cid: await root([{ path: 'f', content: content(bytes) }], layout) });
    }
  }
  for (const [folder, files] of Object.entries(FOLDERS)) {
    for (const layout of ['kubo', 'v0-256k']) {
      const candidates = files.map(([path, bytes]) => ({ path: `${folder}/${path}`, content: content(bytes) }));
      rows.push({ folder, layout, cid: await root(candidates, layout) });
    }
  }
  const lines = (items) => `[\n${items.map((item) => `    ${JSON.stringify(item)}`).join(',\n')}\n  ]`;
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, 'node_modules/ipfs-unixfs-importer/package.json'), 'utf8'));
  const folders = Object.entries(FOLDERS).map(([name, files]) => `    ${JSON.stringify(name)}: ${JSON.stringify(files)}`);
  return [
    '{',
    `  "oracle": "ipfs-unixfs-importer ${version}",`,
    '  "content": "the first n bytes of sha256(u64be(0)) || sha256(u64be(1)) || ...",',
    `  "layouts": {\n${Object.entries(LAYOUTS).map(([name, layout]) => `    ${JSON.stringify(name)}: ${JSON.stringify(layout)}`).join(',\n')}\n  },`,
    `  "folders": {\n${folders.join(',\n')}\n  },`,
    `  "cids": ${lines(rows)}`,
    '}',
    '',
  ].join('\n');
}

const args = process.argv.slice(2);
if (args.length > 1 || (args.length === 1 && args[0] !== '--check')) {
  console.error('usage: cids.mjs [--check]');
  process.exit(2);
}
const made = await table();
if (args[0] === '--check') {
  if (readFileSync(TABLE, 'utf8') !== made) {
    console.error('golden/cids.json is not what the oracle gives: run `node cids.mjs` and look at the difference');
    process.exit(1);
  }
  console.log('golden/cids.json equals what the oracle gives');
} else {
  writeFileSync(`${TABLE}.tmp`, made);
  renameSync(`${TABLE}.tmp`, TABLE);
  console.log('wrote golden/cids.json');
}
