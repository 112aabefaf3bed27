//! What a home has, what it is called and costs, and whose it is: what the gallery shows.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use seedstorm_mint::{Address, EmbeddedChain, Mint, block::raw_cid, files, keystore::Password};
use seedstorm_sim::{Backend, Film, Recipe, recipe::ParamValue};
use seedstorm_studio::{
    Home, Observer, Quiet, Stage, StudioError, export,
    ledger::{self, Ledger, ROYALTY_BPS},
    make,
    make::{Options, describe},
    picture,
    pieces::{Piece, pieces},
    verify::{self, Wishes},
};

fn recipe(seed: u64) -> Recipe {
    let film = Film { frames: 3, fps: 12, width: 48, height: 32, samples: 1, renderer: "cpu".into() };
    let mut recipe = Recipe::new("bloom@1", seed.into(), film).unwrap();
    recipe.params.extend([("arms", 5.0), ("rings", 3.0)].map(|(k, v)| (k.to_owned(), ParamValue::Number(v))));
    recipe
}

fn unminted() -> Options {
    Options { backend: Backend::Cpu, mint: false, ..Options::default() }
}

/// Gives up when the first frame is drawn.
#[derive(Default)]
struct Impatient(AtomicBool);

impl Observer for Impatient {
    fn begin(&self, stage: Stage, _: u64) {
        self.0.fetch_or(stage == Stage::Render, Ordering::Relaxed);
    }
    fn reached(&self, _: u64) {}
    fn end(&self, _: Stage) {}
    fn stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn what_was_begun_is_found_and_can_be_thrown_away() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    let (first, second) = (recipe(1), recipe(2));
    for recipe in [&first, &second] {
        assert!(matches!(make(&home, recipe, &unminted(), &Impatient::default()), Err(StudioError::Stopped)));
    }
    let begun = make::unfinished(&home);
    assert!(begun.len() == 2 && begun.contains(&first) && begun.contains(&second), "{begun:?}");
    // What does not hold what its name says is nobody's work.
    let folder = |recipe: &Recipe| home.root().join("making").join(recipe.cid().to_string());
    fs::copy(folder(&first).join("recipe.json"), folder(&second).join("recipe.json")).unwrap();
    assert_eq!(make::unfinished(&home), std::slice::from_ref(&first));
    // Nor is it, while somebody is at it.
    let held = files::try_lock(&folder(&first).with_extension("lock")).unwrap().unwrap();
    assert!(make::unfinished(&home).is_empty());
    assert!(matches!(make::discard(&home, &first), Err(StudioError::Busy(_))));
    drop(held);
    assert_eq!(make::unfinished(&home), std::slice::from_ref(&first));
    make::discard(&home, &second).unwrap();
    assert!(!folder(&second).exists() && folder(&first).exists());
    // What is finished is no longer begun.
    make(&home, &first, &unminted(), &Quiet).unwrap();
    assert!(make::unfinished(&home).is_empty());
}

/// Notes which checkpoints were compared, and what came of it.
#[derive(Default)]
struct Compared(Mutex<Vec<(u32, u32, bool)>>);

impl Observer for Compared {
    fn begin(&self, _: Stage, _: u64) {}
    fn reached(&self, _: u64) {}
    fn end(&self, _: Stage) {}
    fn compared(&self, checkpoint: u32, of: u32, equal: bool) {
        self.0.lock().unwrap().push((checkpoint, of, equal));
    }
}

#[test]
fn a_piece_is_listed_named_priced_minted_and_given_away() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path().join("home")).unwrap();
    assert!(pieces(&home).unwrap().is_empty());

    let recipe = recipe(7);
    make(&home, &recipe, &unminted(), &Quiet).unwrap();
    make(&home, &self::recipe(8), &unminted(), &Quiet).unwrap();
    let listed = pieces(&home).unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|piece| piece.token.is_none()));
    let strange = Piece { recipe: self::recipe(9).cid(), ..listed[0].clone() };
    assert!(matches!(strange.recipe(&home), Err(StudioError::OtherRecipe(_))), "a folder of another name's content");
    let piece = listed.iter().find(|piece| piece.recipe == recipe.cid()).unwrap();
    assert_eq!(piece.recipe(&home).unwrap(), recipe);
    assert_eq!(piece.poster(&home).unwrap().width, 48);
    assert_eq!(piece.attestations(&home).unwrap().len(), 1);
    assert_eq!(make::frame_so_far(&home, &recipe, 2).unwrap().height, 32);
    assert!(make::frame_so_far(&home, &recipe, 3).is_none());

    // Its name can change as often as one likes before there is a token, and with a token no more.
    assert!(describe(&home, &recipe, &"x".repeat(100_000), "").is_err());
    let metadata = describe(&home, &recipe, "First light", "The first.").unwrap();
    assert_eq!(piece.metadata(&home).unwrap().name, "First light");

    // What is said to be paid is what is paid, and asking costs nothing.
    let mint = Mint {
        to: Address::ZERO,
        metadata: raw_cid(&metadata.to_json().unwrap()),
        recipe: recipe.cid(),
        sim_root: metadata.sim_root,
    };
    let quote = ledger::quote(&home, &mint, ROYALTY_BPS).unwrap();
    assert!(quote.new_collection && quote.cost > seedstorm_mint::U256::ZERO && quote.cost < quote.balance);
    assert!(!home.chain().exists() && !home.collection().exists());
    let minted = make(&home, &recipe, &Options { mint: true, ..unminted() }, &Quiet).unwrap().minted.unwrap();
    let owner = minted.token.owner;
    assert_eq!(minted.token.metadata, mint.metadata);
    let paid = quote.balance - EmbeddedChain::open(home.chain()).unwrap().balance(owner).unwrap();
    assert_eq!(paid, quote.cost);
    assert!(matches!(describe(&home, &recipe, "Another", "The first."), Err(StudioError::Named(_))));
    assert_eq!(describe(&home, &recipe, "First light", "The first.").unwrap(), metadata);

    // Tokens come after what is not minted, with their metadata out of the store.
    let listed = pieces(&home).unwrap();
    assert_eq!((listed[0].token.is_none(), listed[1].name()), (true, "1".to_owned()));
    let token = &listed[1];
    assert_eq!(token.metadata(&home).unwrap(), metadata);

    // Another's price knows the collection.
    let other = describe(&home, &self::recipe(8), "Second", "Another.").unwrap();
    let mint = Mint { metadata: raw_cid(&other.to_json().unwrap()), recipe: self::recipe(8).cid(), ..mint };
    let second = ledger::quote(&home, &mint, ROYALTY_BPS).unwrap();
    assert!(!second.new_collection && second.cost < quote.cost);

    // It is given away once: afterwards it is another's. A contract that takes no tokens gets none.
    let ledger = Ledger::write(&home, ROYALTY_BPS).unwrap();
    let contract = ledger.deployment().unwrap().address;
    let refused = ledger.transfer(1, contract).unwrap_err();
    assert!(refused.to_string().contains("takes no tokens"), "{refused}");
    assert!(refused.help().unwrap().contains("nothing was changed"), "{:?}", refused.help());
    let to: Address = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".parse().unwrap();
    assert_eq!(ledger.transfer(1, to).unwrap().owner, to);
    assert!(ledger.transfer(1, owner).unwrap_err().to_string().contains("belongs to"));
    assert!(matches!(ledger.transfer(2, owner), Err(StudioError::NoSuchPiece(_) | StudioError::Mint(_))));
    let history = Ledger::read(&home).unwrap().history(1).unwrap();
    let owners: Vec<Address> = history.iter().map(|moved| moved.to).collect();
    assert_eq!((owners, history[0].from), (vec![owner, to], Address::ZERO));
    let token = Ledger::read(&home).unwrap().tokens().unwrap().remove(0);
    assert_eq!(token.owner, to);

    // It can be taken elsewhere, and what is there is not written over.
    let (car, _) = export::car(&home, "1", Some(&folder.path().join("piece.car"))).unwrap();
    assert!(car.metadata().unwrap().len() > 1000);
    let out = folder.path().join("taken/along");
    export::folder(&home, "1", &out).unwrap();
    assert_eq!(
        fs::read(out.join("film.mp4")).unwrap(),
        fs::read(listed[1].folder.as_ref().unwrap().join("film.mp4")).unwrap()
    );
    assert!(export::folder(&home, "1", &out).is_err());
    assert!(export::folder(&home, "99", &folder.path().join("none")).is_err());
    assert!(!folder.path().join("none").exists());

    // Without its folder, the store has all of it; a store that lost a block says so, and no more than that breaks.
    fs::remove_dir_all(listed[1].folder.as_ref().unwrap()).unwrap();
    let stored = pieces(&home).unwrap().into_iter().find(|piece| piece.token.is_some()).unwrap();
    assert!(stored.folder.is_none());
    assert_eq!(stored.poster(&home).unwrap().width, 48);
    assert_eq!(stored.frame(&home, 1).unwrap().height, 32);
    assert_eq!(stored.attestations(&home).unwrap().len(), 1);
    fs::remove_dir_all(home.store()).unwrap();
    assert!(stored.metadata(&home).is_err() && stored.poster(&home).is_err());
    assert_eq!(pieces(&home).unwrap().len(), 2);
}

#[test]
fn a_first_mint_that_was_broken_off_leaves_a_home_that_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    make(&home, &recipe(7), &unminted(), &Quiet).unwrap();
    // Killed after the key had its test ether, before there was a collection.
    let key = ledger::unlock(&home).unwrap();
    EmbeddedChain::open(home.chain()).unwrap().fund(key.address()).unwrap();
    assert_eq!(pieces(&home).unwrap().len(), 1);
    describe(&home, &recipe(7), "Named all the same", "").unwrap();
    // Killed after there was a collection, before its file was written.
    make(&home, &recipe(7), &Options { mint: true, ..unminted() }, &Quiet).unwrap();
    fs::remove_file(home.collection()).unwrap();
    assert_eq!(pieces(&home).unwrap()[0].token.as_ref().unwrap().id, 1);
    let again = make(&home, &recipe(7), &Options { mint: true, ..unminted() }, &Quiet).unwrap();
    assert_eq!(again.minted.unwrap().token.id, 1);
    assert!(home.collection().exists());
    // Another key, or none, is no empty wall.
    fs::remove_file(home.collection()).unwrap();
    let other = Home::open(folder.path().join("other")).unwrap();
    ledger::unlock(&other).unwrap();
    fs::rename(home.keys(), folder.path().join("own")).unwrap();
    fs::rename(other.keys(), home.keys()).unwrap();
    assert!(matches!(pieces(&home), Err(StudioError::CollectionLost(_))));
    let again = make(&home, &recipe(7), &Options { mint: true, ..unminted() }, &Quiet);
    assert!(matches!(again, Err(StudioError::CollectionLost(_))), "no second collection");
    fs::remove_dir_all(home.keys()).unwrap();
    fs::rename(folder.path().join("own"), home.keys()).unwrap();
    assert_eq!(pieces(&home).unwrap()[0].token.as_ref().unwrap().id, 1);
    fs::rename(home.keys(), folder.path().join("elsewhere")).unwrap();
    assert!(matches!(pieces(&home), Err(StudioError::KeyLost(_))));
}

#[test]
fn a_recipe_has_one_token_whatever_others_call_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    let made = make(&home, &recipe(7), &unminted(), &Quiet).unwrap();
    let ledger = Ledger::write(&home, ROYALTY_BPS).unwrap();
    let mint = Mint {
        to: ledger.key().address(),
        metadata: made.metadata_cid,
        recipe: recipe(7).cid(),
        sim_root: made.sim_root.0,
    };
    let other = Mint { metadata: raw_cid(b"another name"), ..mint };
    let refused = ledger.mint(&mint, || Err(StudioError::Named("Another".into())));
    assert!(matches!(refused, Err(StudioError::Named(_))), "it was named otherwise at the last moment");
    assert!(ledger.tokens().unwrap().is_empty());
    assert_eq!(ledger.mint(&mint, || Ok(())).unwrap().id, 1);
    assert_eq!(ledger.mint(&mint, || unreachable!("it is there")).unwrap().id, 1);
    assert!(matches!(ledger.mint(&other, || Ok(())), Err(StudioError::MintedAlready(1))));
    assert_eq!(ledger.tokens().unwrap().len(), 1);
}

/// Names a piece otherwise while it is being minted.
struct Meddler<'a>(&'a Home);

impl Observer for Meddler<'_> {
    fn begin(&self, stage: Stage, _: u64) {
        if stage == Stage::Pin {
            describe(self.0, &recipe(7), "Another", "").unwrap();
        }
    }
    fn reached(&self, _: u64) {}
    fn end(&self, _: Stage) {}
}

#[test]
fn what_is_minted_is_what_was_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    make(&home, &recipe(7), &unminted(), &Quiet).unwrap();
    let refused = make(&home, &recipe(7), &Options { mint: true, ..unminted() }, &Meddler(&home));
    assert!(matches!(refused, Err(StudioError::Named(name)) if name == "Another"));
    assert!(Ledger::read(&home).unwrap().tokens().unwrap().is_empty());
}

#[test]
fn many_are_minted_at_once_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    let ledger = Ledger::write(&home, ROYALTY_BPS).unwrap();
    let mint = |number: u8, recipe: u8| Mint {
        to: ledger.key().address(),
        metadata: raw_cid(&[number]),
        recipe: raw_cid(&[b'r', recipe]),
        sim_root: [number; 32],
    };
    let tokens = ledger.mint_all((1..6).map(|n| mint(n, n))).unwrap();
    assert_eq!(tokens.iter().map(|token| token.id).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(Ledger::read(&home).unwrap().tokens().unwrap(), tokens);
    // A recipe that is there under another name ends it; what came before stays.
    assert!(matches!(ledger.mint_all([mint(6, 6), mint(7, 1), mint(8, 8)]), Err(StudioError::MintedAlready(1))));
    assert_eq!(Ledger::read(&home).unwrap().tokens().unwrap().len(), 6);
}

#[test]
fn what_cannot_be_signed_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    seedstorm_studio::wallet::create(&home, &Password::new("correct horse".into())).unwrap();
    let compared = Compared::default();
    let refused = make(&home, &recipe(7), &unminted(), &Watch(&compared.0)).unwrap_err();
    assert!(refused.to_string().contains("password"), "{refused}");
    assert!(compared.0.lock().unwrap().is_empty(), "nothing was simulated");
}

/// Notes that something was begun.
struct Watch<'a>(&'a Mutex<Vec<(u32, u32, bool)>>);

impl Observer for Watch<'_> {
    fn begin(&self, _: Stage, _: u64) {
        self.0.lock().unwrap().push((0, 0, true));
    }
    fn reached(&self, _: u64) {}
    fn end(&self, _: Stage) {}
}

#[test]
fn verification_goes_checkpoint_by_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::open(folder.path()).unwrap();
    let made = make(&home, &recipe(7), &unminted(), &Quiet).unwrap();
    let check = |bundle: &Path| {
        let compared = Compared::default();
        let wishes = Wishes { backend: Backend::Cpu, unminted: true };
        let report = verify::verify(&home, bundle.to_str().unwrap(), wishes, &compared).unwrap();
        (report.ok, compared.0.into_inner().unwrap())
    };
    let (ok, compared) = check(&made.bundle);
    assert!(ok && compared.len() > 2);
    for (at, (checkpoint, of, equal)) in compared.iter().enumerate() {
        assert_eq!((*checkpoint as usize, *of as usize, *equal), (at, compared.len(), true));
    }
}

#[test]
fn a_glance_is_a_picture_and_can_be_given_up() {
    let image = picture::glance(&recipe(7), Backend::Cpu, 0.1, [24, 1], &|| false).unwrap();
    assert_eq!((image.width, image.height), (24, 24));
    assert!(image.pixels.iter().any(|byte| *byte != image.pixels[0]));
    assert!(matches!(picture::glance(&recipe(7), Backend::Cpu, 1.0, [24, 1], &|| true), Err(StudioError::Stopped)));
}
