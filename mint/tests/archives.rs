//! CAR archives that lie, and what is left of them: nothing.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::Path;

use seedstorm_mint::archived::ArchivedError;
use seedstorm_mint::block::{self, BlockError, RAW, raw_cid};
use seedstorm_mint::car::{self, CarError};
use seedstorm_mint::store::StoreError;
use seedstorm_mint::unixfs::{self, Layout};
use seedstorm_mint::{Archived, Cid, Store};

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    (folder, store)
}

/// A block as an archive has it.
fn section(cid: &Cid, bytes: &[u8]) -> Vec<u8> {
    let mut length = cid.to_bytes().len() + bytes.len();
    let mut out = Vec::new();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    [out, cid.to_bytes(), bytes.to_vec()].concat()
}

/// A file of three chunks: its root, and the sections of its archive, the header first.
fn sections() -> (Cid, Vec<Vec<u8>>) {
    let (_folder, store) = store();
    let layout = Layout { chunk_bytes: 8, ..Layout::KUBO };
    let root = unixfs::add_file(&b"twenty-four bytes, all!!"[..], layout, &mut &store).unwrap().cid;
    let mut archive = Vec::new();
    car::export(&store, &[root], &mut archive).unwrap();
    let header = 1 + usize::from(archive[0]);
    let blocks = store.reachable(&root).unwrap();
    let parts = blocks.iter().map(|cid| section(cid, &store.get(cid).unwrap()));
    let sections: Vec<Vec<u8>> = std::iter::once(archive[..header].to_vec()).chain(parts).collect();
    assert_eq!(sections.concat(), archive);
    (root, sections)
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).map(|p| if p.is_dir() { files(&p) } else { 1 }).sum()
}

fn refused(archive: &[u8]) -> CarError {
    let (_folder, store) = store();
    let kept = store.put_raw(b"what was here before").unwrap();
    let error = car::import(&store, archive, 1 << 20).unwrap_err();
    // The block from before, and the lock.
    assert_eq!(files(store.folder()), 2, "{error}: nothing is left of it");
    store.get(&kept).unwrap();
    error
}

#[test]
fn an_archive_is_taken_whole() {
    let (root, sections) = sections();
    let (_folder, store) = store();
    let car = car::import(&store, &sections.concat()[..], 1 << 20).unwrap();
    assert_eq!((car.roots, car.blocks), (vec![root], 4));
    assert_eq!(unixfs::read_file(&store, &root, 100).unwrap(), b"twenty-four bytes, all!!");
    assert_eq!(files(store.folder()), 4 + 1);
}

#[test]
fn a_wrong_block_is_refused() {
    let (_, mut sections) = sections();
    *sections[4].last_mut().unwrap() ^= 1;
    assert!(matches!(refused(&sections.concat()), CarError::Store(StoreError::Block(BlockError::WrongHash(_)))));
}

#[test]
fn an_archive_that_is_cut_short_anywhere_is_refused() {
    let (_, sections) = sections();
    let archive = sections.concat();
    for end in 0..archive.len() {
        let error = refused(&archive[..end]);
        assert_eq!(matches!(error, CarError::Incomplete(_)), is_boundary(&sections, end), "{end}: {error}");
    }
}

fn is_boundary(sections: &[Vec<u8>], end: usize) -> bool {
    let mut at = 0;
    sections.iter().any(|section| {
        at += section.len();
        at == end
    })
}

/// The crate that reads sections takes an end within a length for the end of the archive.
#[test]
fn an_end_within_a_length_is_refused() {
    let (_, sections) = sections();
    assert!(matches!(refused(&[&sections.concat()[..], &[0x80]].concat()), CarError::Truncated));
}

#[test]
fn lengths_that_nobody_can_hold_are_refused() {
    let (_, sections) = sections();
    // A header of 2^28 bytes, one of 4,097, and a length of more than 64 bits.
    for header in [&[0xff, 0xff, 0xff, 0x7f][..], &[0x81, 0x20], &[0xff; 11]] {
        assert!(matches!(refused(&[header, &[0; 5000][..]].concat()), CarError::Header(_)));
    }
    for length in
        [&[0xff; 11][..], &[0xff, 0xff, 0xff, 0x7f], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]]
    {
        assert!(matches!(refused(&[&sections[0][..], length].concat()), CarError::Format(_)));
    }
    // A header that is nothing but the beginnings of lists.
    assert!(matches!(refused(&[&[0xe0, 0x1f][..], &[0x81; 4064]].concat()), CarError::Format(_)));
}

#[test]
fn a_header_has_one_form() {
    let (_, sections) = sections();
    let mut long = sections.clone();
    // The version as two bytes.
    assert_eq!(long[0].pop(), Some(1));
    long[0].extend([0x18, 1]);
    long[0][0] += 1;
    assert!(matches!(refused(&long.concat()), CarError::Header(_) | CarError::Format(_)));
    let mut second = sections;
    *second[0].last_mut().unwrap() = 2;
    assert!(matches!(refused(&second.concat()), CarError::Format(_)));
}

#[test]
fn a_block_may_stand_twice() {
    let (root, sections) = sections();
    let (_folder, store) = store();
    let twice = [&sections[..], &sections[2..3]].concat();
    assert_eq!(car::import(&store, &twice.concat()[..], 1 << 20).unwrap().blocks, 5);
    assert_eq!(store.reachable(&root).unwrap().len(), 4);
}

#[test]
fn what_a_root_leads_to_is_in_the_archive() {
    let (root, sections) = sections();
    assert!(matches!(refused(&sections[0]), CarError::Incomplete(cid) if cid == root));
    let without = [&sections[..2], &sections[3..]].concat();
    assert!(matches!(refused(&without.concat()), CarError::Incomplete(cid) if cid != root));
}

#[test]
fn blocks_that_nobody_asked_for_are_refused() {
    let (_, mut sections) = sections();
    sections.push(section(&raw_cid(b"stowaway"), b"stowaway"));
    assert!(matches!(refused(&sections.concat()), CarError::Stray));
}

#[test]
fn an_archive_has_bounds() {
    let (_, sections) = sections();
    let (_folder, store) = store();
    let error = car::import(&store, &sections.concat()[..], 60).unwrap_err();
    assert!(matches!(error, CarError::TooLarge(60)));
    let large = vec![7; block::MAX_BLOCK_BYTES + 1];
    let cid = raw_cid(&large);
    let error = car::import(&store, &[&sections[0][..], &section(&cid, &large)].concat()[..], 8 << 20).unwrap_err();
    assert!(matches!(error, CarError::Store(StoreError::Block(BlockError::TooLarge { .. }))));
}

/// What a process that was killed leaves beside the blocks goes away with the next one, unless it lives.
#[test]
fn a_killed_import_leaves_nothing() {
    let (_folder, store) = store();
    let scratch = store.scratch().unwrap();
    let place = scratch.folder().to_owned();
    fs::write(place.join("block"), b"half of it").unwrap();
    store.clear_up().unwrap();
    assert!(place.exists(), "it is still at work");
    drop(scratch);
    assert!(!place.exists());
    fs::create_dir_all(place.join("blocks/aa")).unwrap();
    fs::write(place.join("blocks/aa/b"), b"half of it").unwrap();
    store.clear_up().unwrap();
    assert!(!place.exists());
}

#[test]
fn only_a_bundle_is_one() {
    let (_folder, store) = store();
    let file = |bytes: &[u8]| unixfs::add_file(bytes, Layout::KUBO, &mut &store).unwrap();
    let picture = file(b"picture");
    let frames = unixfs::add_folder(vec![("0000.png".into(), picture)], Layout::KUBO, &mut &store).unwrap();
    let gap = unixfs::add_folder(vec![("0001.png".into(), picture)], Layout::KUBO, &mut &store).unwrap();
    let bundle = |frames, extra: &[&str]| {
        let names = ["film.mp4", "poster.png", "recipe.json", "trajectory.bin"].iter().chain(extra);
        let mut entries: Vec<_> = names.map(|name| ((*name).to_owned(), file(name.as_bytes()))).collect();
        entries.push(("frames".to_owned(), frames));
        unixfs::add_folder(entries, Layout::KUBO, &mut &store).unwrap().cid
    };
    let good = bundle(frames, &[]);
    let archived = Archived::recognise(&store, &[good]).unwrap();
    assert_eq!((archived.bundle, &archived.recipe[..]), (good, &b"recipe.json"[..]));
    archived.pin(&store).unwrap();
    let pins = store.pins().unwrap();
    assert_eq!((pins[0].cid, pins[0].label.as_str()), (good, "bundle"));
    let wrong = |roots: &[Cid]| Archived::recognise(&store, roots).unwrap_err();
    assert!(matches!(wrong(&[bundle(gap, &[])]), ArchivedError::NoBundle(..)));
    assert!(matches!(wrong(&[bundle(frames, &["run.sh"])]), ArchivedError::NoBundle(..)));
    assert!(matches!(wrong(&[good, frames.cid]), ArchivedError::Roots(_)));
    assert!(matches!(wrong(&[picture.cid]), ArchivedError::Roots(_)));
    assert_eq!(picture.cid.codec(), RAW);
    assert!(matches!(wrong(&[good, picture.cid]), ArchivedError::Stranger(_)));
}
