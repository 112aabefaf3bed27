//! CIDs against an independent implementation.
//!
//! `golden/cids.json` was made by `oracle/cids.mjs` with npm's `ipfs-unixfs-importer`, whose CIDs are Kubo's, for files
//! of 0 bytes, 1 byte, one chunk, one chunk ± 1 byte, 200 MiB, trees several levels deep, and folders, one of 1,000
//! files. A failure here means that content which was pinned under its CID would not be found by it any more. To make
//! the table again: `cd tests/oracle && npm ci && node cids.mjs --check`.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps, also in the functions that it calls")]

use std::io::Read;

use seedstorm_mint::Store;
use seedstorm_mint::unixfs::{self, Discard, Entry, Layout};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The first `left` bytes of sha256(u64be(0)) ‖ sha256(u64be(1)) ‖ …
struct Content {
    left: u64,
    next: u64,
    digest: Vec<u8>,
}

impl Content {
    fn new(bytes: u64) -> Self {
        Self { left: bytes, next: 0, digest: Vec::new() }
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut written = 0;
        while written < buffer.len() && self.left > 0 {
            if self.digest.is_empty() {
                self.digest = Sha256::digest(self.next.to_be_bytes()).to_vec();
                self.next += 1;
            }
            let count = self.digest.len().min(buffer.len() - written).min(self.left as usize);
            buffer[written..written + count].copy_from_slice(&self.digest[..count]);
            self.digest.drain(..count);
            written += count;
            self.left -= count as u64;
        }
        Ok(written)
    }
}

fn table() -> Value {
    serde_json::from_str(include_str!("golden/cids.json")).unwrap()
}

fn layout(table: &Value, name: &str) -> Layout {
    let layout = &table["layouts"][name];
    Layout {
        cid_version: layout["version"].as_u64().unwrap() as u8,
        raw_leaves: layout["rawLeaves"].as_bool().unwrap(),
        chunk_bytes: layout["chunkBytes"].as_u64().unwrap() as usize,
        links_per_node: layout["linksPerNode"].as_u64().unwrap() as usize,
    }
}

/// Adds `[path, bytes]` entries, whose paths have at most one slash.
fn add_folder(files: &Value, layout: Layout) -> Entry {
    let mut top: Vec<(String, Entry)> = Vec::new();
    let mut below: Vec<(String, Vec<(String, Entry)>)> = Vec::new();
    for file in files.as_array().unwrap() {
        let (path, bytes) = (file[0].as_str().unwrap(), file[1].as_u64().unwrap());
        let entry = unixfs::add_file(Content::new(bytes), layout, &mut Discard).unwrap();
        match path.split_once('/') {
            None => top.push((path.to_owned(), entry)),
            Some((folder, name)) => {
                if below.last().is_none_or(|(last, _)| last != folder) {
                    below.push((folder.to_owned(), Vec::new()));
                }
                below.last_mut().unwrap().1.push((name.to_owned(), entry));
            }
        }
    }
    for (name, entries) in below {
        top.push((name, unixfs::add_folder(entries, layout, &mut Discard).unwrap()));
    }
    unixfs::add_folder(top, layout, &mut Discard).unwrap()
}

#[test]
fn cids_equal_those_of_an_independent_implementation() {
    let table = table();
    let mut wrong = Vec::new();
    let rows = table["cids"].as_array().unwrap();
    for row in rows {
        let layout = layout(&table, row["layout"].as_str().unwrap());
        let entry = match row["file"].as_u64() {
            Some(bytes) => {
                let entry = unixfs::add_file(Content::new(bytes), layout, &mut Discard).unwrap();
                assert_eq!(entry.file_bytes, bytes);
                entry
            }
            None => add_folder(&table["folders"][row["folder"].as_str().unwrap()], layout),
        };
        if entry.cid.to_string() != row["cid"] {
            wrong.push(format!("{row}: {}", entry.cid));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn the_table_has_every_fixture_that_was_promised() {
    let table = table();
    let has = |key: &str, value: Value| table["cids"].as_array().unwrap().iter().any(|row| row[key] == value);
    for bytes in [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 200 << 20] {
        assert!(has("file", bytes.into()), "{bytes}");
    }
    assert!(has("folder", "thousand".into()));
    assert_eq!(table["folders"]["thousand"].as_array().unwrap().len(), 1000);
    for (name, ours) in [("kubo", Layout::KUBO), ("v1-256k", Layout::KUBO_256K), ("v0-256k", Layout::KUBO_V0)] {
        assert_eq!(layout(&table, name), ours, "{name}");
    }
}

/// Found apart from the oracle, with other programs.
#[test]
fn cids_equal_those_noted_for_kubo() {
    let cid = |bytes, layout| unixfs::add_file(Content::new(bytes), layout, &mut Discard).unwrap().cid.to_string();
    let (v1, v0) = (Layout::KUBO_256K, Layout::KUBO_V0);
    assert_eq!(cid(262_144, v1), "bafkreigy5tcgloscldzhi2iadhemu2v7dj2u5wme7vgim2jlmnxindpsfi");
    assert_eq!(cid(262_145, v1), "bafybeiavfl3mrv5rig3iqfle6aheyo3crcdzseal3jfwykhuwtmc4vtyjy");
    assert_eq!(cid(1_048_577, v0), "QmZK4PdnD9ELuy6J5DP4EWgUcLtQbNt7FZzjd4qWE9qgsw");
    assert_eq!(cid(1_048_577, v1), "bafybeicy6bnwqvpv56unfu4ekef5zg7kqtk6pnm6k6dagfhe7ksivugmy4");
    assert_eq!(cid(1_048_577, Layout::KUBO), "bafybeiaexsalcsoug7gc4g3igi4ly6f4hiyrvlxgraph7oxye3zqduuuli");
}

#[test]
fn what_was_added_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let deep = Layout { chunk_bytes: 64, links_per_node: 3, ..Layout::KUBO };
    let deep_v0 = Layout { cid_version: 0, raw_leaves: false, ..deep };
    for layout in [deep, deep_v0, Layout::KUBO] {
        for bytes in [0, 1, 63, 64, 65, 193, 577, 5185] {
            let mut expected = Vec::new();
            Content::new(bytes).read_to_end(&mut expected).unwrap();
            let entry = unixfs::add_file(Content::new(bytes), layout, &mut &store).unwrap();
            assert_eq!(unixfs::read_file(&store, &entry.cid, bytes).unwrap(), expected, "{bytes} {layout:?}");
            let bounded = unixfs::read_file(&store, &entry.cid, bytes.wrapping_sub(1).min(bytes));
            assert_eq!(bounded.is_ok(), bytes == 0, "{bytes} {layout:?}");
            let reachable = store.reachable(&entry.cid).unwrap();
            assert_eq!(reachable[0], entry.cid);
        }
    }
}

/// A reader that gives one byte at a time makes the same chunks.
#[test]
fn how_the_reader_cuts_does_not_matter() {
    struct Drip(Content);
    impl Read for Drip {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let end = buffer.len().min(1);
            self.0.read(&mut buffer[..end])
        }
    }
    let layout = Layout { chunk_bytes: 100, ..Layout::KUBO };
    let whole = unixfs::add_file(Content::new(1234), layout, &mut Discard).unwrap();
    let dripped = unixfs::add_file(Drip(Content::new(1234)), layout, &mut Discard).unwrap();
    assert_eq!(whole, dripped);
}

#[test]
fn layouts_and_names_out_of_range_are_refused() {
    let refused = |layout| unixfs::add_file(Content::new(1), layout, &mut Discard).is_err();
    assert!(refused(Layout { chunk_bytes: 0, ..Layout::KUBO }));
    assert!(refused(Layout { chunk_bytes: (1 << 20) + 1, ..Layout::KUBO }));
    assert!(refused(Layout { links_per_node: 1, ..Layout::KUBO }));
    assert!(refused(Layout { cid_version: 0, ..Layout::KUBO }));
    let entry = unixfs::add_file(Content::new(1), Layout::KUBO, &mut Discard).unwrap();
    for name in ["", ".", "..", "a/b", "a\0b"] {
        assert!(unixfs::add_folder([(name.to_owned(), entry)], Layout::KUBO, &mut Discard).is_err(), "{name:?}");
    }
    let twice = [("a".to_owned(), entry), ("a".to_owned(), entry)];
    assert!(unixfs::add_folder(twice, Layout::KUBO, &mut Discard).is_err());
    let many = (0..6000).map(|i| (format!("{i:020}"), entry));
    let error = unixfs::add_folder(many, Layout::KUBO, &mut Discard).unwrap_err();
    assert!(error.to_string().contains("sharded"), "{error}");
}
