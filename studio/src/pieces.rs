//! What a home has: tokens of its chain, and finished pieces that nobody minted yet.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use seedstorm_mint::{
    Attestation, Bundle, Cid, Metadata, Store, Token, bundle, files, metadata::MAX_METADATA_BYTES, unixfs,
};
use seedstorm_render::image_file::{Rgb8Image, decode_png};
use seedstorm_sim::{Recipe, recipe::MAX_SCENE_RECIPE_BYTES};

use crate::{
    Home, StudioError,
    ledger::Ledger,
    located::{pinned_attestations, stored_metadata},
};

/// A piece of a home. Little is known of it before it is looked at: a wall may have thousands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its recipe's CID.
    pub recipe: Cid,
    /// Its token, if it has one.
    pub token: Option<Token>,
    /// Its folder, where the home has it as one; else the store may have it.
    pub folder: Option<PathBuf>,
}

/// All pieces of a home: first those that nobody minted, the latest first, then tokens, the latest first.
///
/// # Errors
/// What the chain or the disk says.
pub fn pieces(home: &Home) -> Result<Vec<Piece>, StudioError> {
    let tokens = Ledger::read(home)?.tokens()?;
    let minted: HashSet<Cid> = tokens.iter().map(|token| token.recipe).collect();
    let folders = folders(home)?;
    let kept: HashSet<Cid> = folders.iter().map(|piece| piece.recipe).collect();
    let folder = |recipe: &Cid| kept.contains(recipe).then(|| home.bundles().join(recipe.to_string()));
    let of = |token: Token| Piece { recipe: token.recipe, folder: folder(&token.recipe), token: Some(token) };
    let unminted = folders.iter().filter(|piece| !minted.contains(&piece.recipe)).cloned();
    Ok(unminted.chain(tokens.into_iter().rev().map(of)).collect())
}

/// The finished pieces that a home has as folders, the latest first, whether there are tokens of them or not: what can be
/// listed without a chain.
///
/// # Errors
/// What the disk says.
pub fn folders(home: &Home) -> Result<Vec<Piece>, StudioError> {
    let mut found: Vec<(SystemTime, Piece)> = Vec::new();
    let bundles = home.bundles();
    for entry in fs::read_dir(&bundles).map_err(StudioError::io(&bundles))? {
        let entry = entry.map_err(StudioError::io(&bundles))?;
        let Some(recipe) = entry.file_name().to_str().and_then(|name| name.parse::<Cid>().ok()) else { continue };
        let folder = bundles.join(recipe.to_string());
        if !folder.is_dir() {
            continue;
        }
        let at = entry.metadata().and_then(|it| it.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        found.push((at, Piece { recipe, token: None, folder: Some(folder) }));
    }
    found.sort_by(|(a, _), (b, _)| b.cmp(a));
    Ok(found.into_iter().map(|(_, piece)| piece).collect())
}

impl Piece {
    /// Its metadata: of a token, what the token commits to, out of the store.
    ///
    /// # Errors
    /// It is not there, or is no metadata.
    pub fn metadata(&self, home: &Home) -> Result<Metadata, StudioError> {
        match (&self.token, &self.folder) {
            (Some(token), _) => stored_metadata(&Store::open(home.store())?, token),
            (None, Some(folder)) => {
                let bytes = read(folder, "metadata.json", MAX_METADATA_BYTES as u64)?;
                Ok(Metadata::from_json(&bytes)?)
            }
            (None, None) => Err(StudioError::NoSuchPiece(self.recipe.to_string())),
        }
    }

    /// Its recipe.
    ///
    /// # Errors
    /// It is not there, is another, or cannot be used by this engine.
    pub fn recipe(&self, home: &Home) -> Result<Recipe, StudioError> {
        let bytes = self.file(home, "recipe.json", MAX_SCENE_RECIPE_BYTES as u64)?;
        let recipe = Recipe::from_json(&bytes)?;
        if recipe.cid() == self.recipe { Ok(recipe) } else { Err(StudioError::OtherRecipe(self.recipe)) }
    }

    /// Its poster.
    ///
    /// # Errors
    /// It is not there, or is no picture of ours: others, of whatever size, are not decoded.
    pub fn poster(&self, home: &Home) -> Result<Rgb8Image, StudioError> {
        Ok(decode_png(&self.file(home, "poster.png", bundle::MAX_IMAGE_BYTES)?)?)
    }

    /// A frame of its film.
    ///
    /// # Errors
    /// As [`Piece::poster`].
    pub fn frame(&self, home: &Home, frame: u32) -> Result<Rgb8Image, StudioError> {
        Ok(decode_png(&self.file(home, &format!("frames/{frame:04}.png"), bundle::MAX_IMAGE_BYTES)?)?)
    }

    /// What was attested of it.
    ///
    /// # Errors
    /// It is not there, or what is there is signed wrongly.
    pub fn attestations(&self, home: &Home) -> Result<Vec<Attestation>, StudioError> {
        match &self.folder {
            Some(folder) => {
                let bundle = Bundle::open(folder)?;
                let content = bundle.content_cids()?;
                Ok(bundle.attestations(&content)?.into_iter().map(|(attestation, _)| attestation).collect())
            }
            None => pinned_attestations(&Store::open(home.store())?, &self.metadata(home)?.bundle),
        }
    }

    /// How it is called when it is verified: a token's number or a folder.
    #[must_use]
    pub fn name(&self) -> String {
        match (&self.token, &self.folder) {
            (Some(token), _) => token.id.to_string(),
            (None, Some(folder)) => folder.display().to_string(),
            (None, None) => self.recipe.to_string(),
        }
    }

    /// A file of its content, from its folder or out of the store.
    fn file(&self, home: &Home, name: &str, most: u64) -> Result<Vec<u8>, StudioError> {
        if let Some(folder) = &self.folder {
            return read(folder, name, most);
        }
        let store = Store::open(home.store())?;
        let content = self.metadata(home)?.bundle;
        Ok(unixfs::read_file(&store, &unixfs::resolve(&store, &content, name)?, most)?)
    }
}

fn read(folder: &Path, name: &str, most: u64) -> Result<Vec<u8>, StudioError> {
    let path = folder.join(name);
    files::read_bounded(&path, most).map_err(StudioError::io(&path))
}
