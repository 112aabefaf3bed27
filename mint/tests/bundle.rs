//! A bundle's folder: its CIDs, its shape, its way into a store and out of it.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps, also in the functions that it calls")]

use std::fs;
use std::path::Path;

use seedstorm_mint::block::raw_cid;
use seedstorm_mint::bundle::{self, BundleError};
use seedstorm_mint::unixfs::{self, Discard, Layout};
use seedstorm_mint::{
    Attestation, Bundle, Claim, ContentCids, DisplayType, Metadata, PrivateKeySigner, Rarity, Store, Trait, TraitValue,
    car,
};

fn write_content(folder: &Path) {
    fs::create_dir_all(folder.join("frames")).unwrap();
    for name in ["recipe.json", "poster.png", "trajectory.bin"] {
        fs::write(folder.join(name), name).unwrap();
    }
    fs::write(folder.join("film.mp4"), vec![7; 3 << 20]).unwrap();
    for number in 0..12 {
        fs::write(folder.join(format!("frames/{number:04}.png")), [number; 100]).unwrap();
    }
}

fn metadata(content: &ContentCids) -> Metadata {
    let text = |name: &str, value: &str, rarity| Trait {
        name: name.to_owned(),
        value: TraitValue::Text(value.to_owned()),
        display: None,
        rarity,
    };
    let number = |name: &str, value, display, rarity| Trait {
        name: name.to_owned(),
        value: TraitValue::Number(value),
        display,
        rarity,
    };
    Metadata {
        name: "Storm \u{201c}Ember\u{201d}".to_owned(),
        description: "A wave of glass.\nIt never breaks.".to_owned(),
        external_url: Some("https://example.org/storms/1".to_owned()),
        traits: vec![
            text("Palette", "ember", Rarity::Drawn(0.0625)),
            number("Pieces", 4096.0, Some(DisplayType::Number), Rarity::Drawn(0.5)),
            number("Gravity", -9.81, None, Rarity::Overridden),
            number("Glow", 12.5, Some(DisplayType::BoostPercentage), Rarity::Drawn(0.001)),
        ],
        engine: "seedstorm/1".to_owned(),
        recipe: content.recipe,
        world_id: raw_cid(b"world"),
        sim_root: [0xab; 32],
        renderer: "cpu".to_owned(),
        bundle: content.bundle,
    }
}

fn attestation(content: &ContentCids) -> Attestation {
    let key = PrivateKeySigner::from_slice(&[1; 32]).unwrap();
    let backend = "cpu".to_owned();
    let claim = Claim {
        bundle: content.bundle,
        sim_root: [0xab; 32],
        light_root: [0; 32],
        backend,
        started_at: 10,
        finished_at: 20,
    };
    claim.sign(&key).unwrap()
}

#[test]
fn the_bundle_is_the_unixfs_folder_of_its_content_alone() {
    let folder = tempfile::tempdir().unwrap();
    write_content(folder.path());
    let plain = unixfs::add_path(folder.path(), Layout::KUBO, &mut Discard).unwrap();
    let mut bundle = Bundle::open(folder.path()).unwrap();
    let content = bundle.content_cids().unwrap();
    assert_eq!(content.bundle, plain.cid);
    assert_eq!(content.recipe, raw_cid(b"recipe.json"));
    assert_eq!(bundle.frame_count(), 12);
    // What says who and when changes nothing of it.
    bundle.write_metadata(&metadata(&content)).unwrap();
    bundle.write_attestation(&attestation(&content)).unwrap();
    assert_eq!(Bundle::open(folder.path()).unwrap().content_cids().unwrap(), content);
}

#[test]
fn the_metadata_of_a_piece_is_these_very_bytes() {
    let folder = tempfile::tempdir().unwrap();
    write_content(folder.path());
    let content = Bundle::open(folder.path()).unwrap().content_cids().unwrap();
    let json = metadata(&content).to_json().unwrap();
    // A marketplace reads this text, and a token's word is its digest: a change here is a change of every new token.
    assert_eq!(String::from_utf8(json.clone()).unwrap(), include_str!("golden/metadata.json").trim_end());
    assert_eq!(Metadata::from_json(&json).unwrap(), metadata(&content));
}

#[test]
fn a_bundle_travels_through_a_store_and_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_content(&at("piece"));
    let mut made = Bundle::open(at("piece")).unwrap();
    let content = made.content_cids().unwrap();
    let metadata_cid = made.write_metadata(&metadata(&content)).unwrap();
    let attestation_cid = made.write_attestation(&attestation(&content)).unwrap();
    assert_eq!(made.write_attestation(&attestation(&content)).unwrap(), attestation_cid, "the same one again");

    let made = Bundle::open(at("piece")).unwrap();
    let store = Store::open(at("store")).unwrap();
    let added = made.add_to(&store).unwrap();
    assert_eq!(added.content, content);
    assert_eq!(added.metadata, Some(metadata_cid));
    assert_eq!(added.attestations, [attestation_cid]);
    let mut pins: Vec<_> = store.pins().unwrap().into_iter().map(|pin| (pin.label, pin.cid)).collect();
    pins.sort();
    let expected = [("attestation", attestation_cid), ("bundle", content.bundle), ("metadata", metadata_cid)];
    assert_eq!(pins, expected.map(|(label, cid)| (label.to_owned(), cid)));
    assert_eq!(made.attestations(&content).unwrap()[0].0, attestation(&content));

    let mut archive = Vec::new();
    car::export(&store, &[content.bundle, metadata_cid], &mut archive).unwrap();
    let other = Store::open(at("other")).unwrap();
    car::import(&other, &archive[..], u64::MAX).unwrap();
    assert_eq!(Metadata::from_json(&other.get(&metadata_cid).unwrap()).unwrap(), metadata(&content));
    let copy = bundle::extract(&other, &content.bundle, &at("copy")).unwrap();
    assert_eq!(copy.content_cids().unwrap(), content);
    assert_eq!(fs::read(at("copy/film.mp4")).unwrap(), fs::read(at("piece/film.mp4")).unwrap());
    assert!(bundle::extract(&other, &content.bundle, &at("copy")).is_err(), "nothing is overwritten");
}

#[test]
fn only_a_bundles_own_metadata_is_stored_with_it() {
    let folder = tempfile::tempdir().unwrap();
    write_content(folder.path());
    let mut bundle = Bundle::open(folder.path()).unwrap();
    let content = bundle.content_cids().unwrap();
    bundle.write_metadata(&metadata(&content)).unwrap();
    bundle.write_attestation(&attestation(&content)).unwrap();
    fs::write(folder.path().join("poster.png"), "another picture").unwrap();
    let content = bundle.content_cids().unwrap();
    assert!(matches!(bundle.metadata(&content), Err(BundleError::OtherContent { field: "bundle", .. })));
    assert!(matches!(bundle.attestations(&content), Err(BundleError::OtherContent { field: "bundle", .. })));
    let store = tempfile::tempdir().unwrap();
    assert!(bundle.add_to(&Store::open(store.path()).unwrap()).is_err());
}

#[test]
fn a_folder_that_is_no_bundle_is_refused_with_the_name_of_what_is_wrong() {
    let refused = |spoil: fn(&Path), says: &str| {
        let folder = tempfile::tempdir().unwrap();
        write_content(folder.path());
        spoil(folder.path());
        let error = Bundle::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    };
    refused(|at| fs::remove_file(at.join("film.mp4")).unwrap(), "film.mp4 is missing");
    refused(|at| fs::remove_dir_all(at.join("frames")).unwrap(), "0000.png is missing");
    refused(|at| fs::write(at.join("notes.txt"), "").unwrap(), "notes.txt does not belong");
    refused(|at| fs::write(at.join(".DS_Store"), "").unwrap(), ".DS_Store does not belong");
    refused(|at| fs::remove_file(at.join("frames/0003.png")).unwrap(), "0004.png is out of order");
    refused(|at| fs::write(at.join("frames/12.png"), "").unwrap(), "12.png is out of order");
    refused(
        |at| fs::write(at.join("recipe.json"), vec![b' '; (1 << 20) + 1]).unwrap(),
        "recipe.json: has 1048577 bytes",
    );
    refused(
        |at| fs::write(at.join("metadata.json"), vec![b' '; 300 << 10]).unwrap(),
        "metadata.json: has 307200 bytes",
    );
    refused(
        |at| {
            fs::create_dir(at.join("attestations")).unwrap();
            fs::write(at.join("attestations/me.json"), "{}").unwrap();
        },
        "me.json does not belong",
    );
    refused(
        |at| {
            fs::remove_file(at.join("poster.png")).unwrap();
            fs::create_dir(at.join("poster.png")).unwrap();
        },
        "poster.png: is not a regular file",
    );
}

#[cfg(unix)]
#[test]
fn links_lead_nowhere() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("0000.png"), "secret").unwrap();
    for name in ["poster.png", "frames", "frames/0001.png"] {
        let folder = tempfile::tempdir().unwrap();
        write_content(folder.path());
        let path = folder.path().join(name);
        if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.unwrap();
        let target = if name == "frames" { outside.path().to_owned() } else { outside.path().join("0000.png") };
        symlink(target, &path).unwrap();
        let error = Bundle::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("links are not followed"), "{name}: {error}");
    }
}

#[test]
fn an_attestation_under_another_name_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    write_content(folder.path());
    let mut bundle = Bundle::open(folder.path()).unwrap();
    let content = bundle.content_cids().unwrap();
    bundle.write_attestation(&attestation(&content)).unwrap();
    let attestations = folder.path().join("attestations");
    let file = fs::read_dir(&attestations).unwrap().next().unwrap().unwrap().path();
    fs::rename(file, attestations.join(format!("{}.json", "0".repeat(64)))).unwrap();
    let bundle = Bundle::open(folder.path()).unwrap();
    assert!(matches!(bundle.attestations(&content), Err(BundleError::WrongName { .. })));
}
