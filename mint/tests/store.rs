//! The block store on a disk that can fail, under several writers, and its archives.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps, also in the functions that it calls")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use seedstorm_mint::block::{self, BlockError, DAG_PB};
use seedstorm_mint::car::{self, CarError};
use seedstorm_mint::store::StoreError;
use seedstorm_mint::unixfs::{self, Layout};
use seedstorm_mint::{Cid, Store};

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    (folder, store)
}

fn block_files(store: &Store) -> Vec<PathBuf> {
    let shards = fs::read_dir(store.folder().join("blocks")).unwrap();
    shards.flat_map(|shard| fs::read_dir(shard.unwrap().path()).unwrap()).map(|file| file.unwrap().path()).collect()
}

/// A folder of two files, one of several chunks.
fn tree(store: &Store) -> Cid {
    let layout = Layout { chunk_bytes: 1000, links_per_node: 4, ..Layout::KUBO };
    let large: Vec<u8> = (0..9_500_u32).flat_map(u32::to_le_bytes).collect();
    let large = unixfs::add_file(&large[..], layout, &mut &*store).unwrap();
    let small = unixfs::add_file(&b"small"[..], layout, &mut &*store).unwrap();
    unixfs::add_folder([("large".to_owned(), large), ("small".to_owned(), small)], layout, &mut &*store).unwrap().cid
}

#[test]
fn a_block_is_checked_when_it_comes_and_when_it_goes() {
    let (_folder, store) = store();
    let cid = store.put_raw(b"hello").unwrap();
    assert!(store.has(&cid));
    assert_eq!(store.get(&cid).unwrap(), b"hello");
    let absent = block::raw_cid(b"absent");
    assert!(!store.has(&absent));
    assert!(matches!(store.get(&absent), Err(StoreError::Missing(missing)) if missing == absent));
    assert!(matches!(store.put(&absent, b"other"), Err(StoreError::Block(BlockError::WrongHash(_)))));
    assert!(!store.has(&absent));
    let large = vec![0; block::MAX_BLOCK_BYTES + 1];
    assert!(matches!(store.put_raw(&large), Err(StoreError::Block(BlockError::TooLarge { .. }))));
}

#[test]
fn damage_on_the_disk_is_noticed_and_healed_by_the_same_block() {
    let (_folder, store) = store();
    let cid = store.put_raw(b"hello").unwrap();
    let [path] = &block_files(&store)[..] else { panic!("one block, one file") };
    for damaged in [&b"hellO"[..], b"hell", b"", &vec![0; block::MAX_BLOCK_BYTES + 1]] {
        fs::write(path, damaged).unwrap();
        assert!(!matches!(store.get(&cid), Ok(_) | Err(StoreError::Missing(_))));
        store.put_raw(b"hello").unwrap();
        assert_eq!(store.get(&cid).unwrap(), b"hello");
    }
}

#[test]
fn pins_keep_what_they_lead_to_and_nothing_else_stays() {
    let (_folder, store) = store();
    let root = tree(&store);
    let alone = store.put_raw(b"alone").unwrap();
    store.pin(&root, "bundle").unwrap();
    let pins = store.pins().unwrap();
    assert_eq!(pins.len(), 1);
    assert_eq!((pins[0].cid, pins[0].label.as_str()), (root, "bundle"));

    assert_eq!(store.remove_unpinned(Duration::from_secs(3600)).unwrap(), 0, "too young to go");
    assert_eq!(store.remove_unpinned(Duration::ZERO).unwrap(), 5);
    assert!(!store.has(&alone));
    store.reachable(&root).unwrap();

    assert!(store.unpin(&root).unwrap());
    assert!(!store.unpin(&root).unwrap());
    store.remove_unpinned(Duration::ZERO).unwrap();
    assert_eq!(block_files(&store).len(), 0);
}

#[test]
fn a_root_that_is_not_all_there_is_not_pinned() {
    let (_folder, store) = store();
    let root = tree(&store);
    let small = unixfs::resolve(&store, &root, "small").unwrap();
    let gone = block_files(&store).into_iter().find(|path| path.ends_with(small.to_string())).unwrap();
    fs::remove_file(gone).unwrap();
    assert!(matches!(store.pin(&root, "bundle"), Err(StoreError::Missing(missing)) if missing == small));
    assert!(store.pins().unwrap().is_empty());
    assert!(matches!(store.pin(&store.put_raw(b"x").unwrap(), "two\nlines"), Err(StoreError::Label)));
}

#[test]
fn foreign_nodes_are_not_followed() {
    let (_folder, store) = store();
    let junk = b"not a node".to_vec();
    let cid = block::cid_of(DAG_PB, &junk);
    store.put(&cid, &junk).unwrap();
    assert!(matches!(store.reachable(&cid), Err(StoreError::Node { .. })));
}

/// What two processes do to one store, with threads that share nothing but the folder.
#[test]
fn many_writers_do_each_other_no_harm() {
    let (_folder, store) = store();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path: &Path = store.folder();
            scope.spawn(move || {
                let store = Store::open(path).unwrap();
                for number in 0..40_u32 {
                    // Half of the blocks are everybody's, half are the writer's own.
                    let owner = if number % 2 == 0 { 0 } else { writer };
                    let bytes = [number.to_le_bytes(), [owner; 4]].concat();
                    let cid = store.put_raw(&bytes).unwrap();
                    if number < 4 {
                        store.pin(&cid, "block").unwrap();
                    }
                    assert_eq!(store.get(&cid).unwrap(), bytes);
                }
                store.remove_unpinned(Duration::from_secs(3600)).unwrap();
            });
        }
    });
    assert_eq!(block_files(&store).len(), 20 + 4 * 20);
    assert_eq!(store.pins().unwrap().len(), 2 + 4 * 2);
}

#[test]
fn an_archive_carries_a_root_to_another_store() {
    let (_one, from) = store();
    let (_two, to) = store();
    let root = tree(&from);
    from.put_raw(b"not part of it").unwrap();
    let mut archive = Vec::new();
    let exported = car::export(&from, &[root], &mut archive).unwrap();
    let mut again = Vec::new();
    car::export(&from, &[root], &mut again).unwrap();
    assert_eq!(archive, again);
    assert!(matches!(car::export(&from, &[], std::io::sink()), Err(CarError::TooMany)));
    let twice = car::export(&from, &[root, root], std::io::sink()).unwrap();
    assert_eq!(twice.blocks, exported.blocks);
    // `a2 65 roots 81 d82a…`: the header that every implementation writes for one root.
    assert_eq!(&archive[1..8], b"\xa2eroots");

    let imported = car::import(&to, &archive[..], u64::MAX).unwrap();
    assert_eq!(imported, exported);
    assert_eq!(imported.roots, [root]);
    assert_eq!(to.reachable(&root).unwrap(), from.reachable(&root).unwrap());
    let small = unixfs::resolve(&to, &root, "small").unwrap();
    assert_eq!(unixfs::read_file(&to, &small, 100).unwrap(), b"small");
}

#[test]
fn archives_that_lie_are_refused() {
    let (_one, from) = store();
    let root = tree(&from);
    let mut archive = Vec::new();
    let car = car::export(&from, &[root], &mut archive).unwrap();

    let refused = |bytes: &[u8], most| {
        let (_two, to) = store();
        car::import(&to, bytes, most).unwrap_err()
    };
    // One bit of the last block.
    let mut flipped = archive.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(matches!(refused(&flipped, u64::MAX), CarError::Store(StoreError::Block(BlockError::WrongHash(_)))));
    // Cut off anywhere, also between two blocks.
    for end in (0..archive.len()).step_by(1999).chain([archive.len() - 5 - 37]) {
        refused(&archive[..end], u64::MAX);
    }
    assert!(matches!(refused(&archive, car.block_bytes - 1), CarError::TooLarge(_)));
    // A length that nobody can hold.
    let mut huge = archive[..1 + archive[0] as usize].to_vec();
    huge.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    assert!(matches!(refused(&huge, u64::MAX), CarError::Format(_)));
}
