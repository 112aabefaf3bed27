//! What can go wrong on the way from a recipe to a token.

use std::path::{Path, PathBuf};

use seedstorm_mint::{
    Cid,
    chain::{ChainError, INTERNAL_ERROR},
    collection::CollectionError,
    metadata::MetadataError,
};
use seedstorm_render::plugin::PluginError;
use seedstorm_sim::{Digest, RecipeError, SimError, scenario::authored::SceneError, trajectory::TrajectoryError};

/// Why the pipeline stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudioError {
    /// The recipe cannot be used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The scene file cannot be used.
    #[error("{path}: {error}")]
    Scene {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<SceneError>,
    },
    /// The world could not be run.
    #[error(transparent)]
    Sim(SimError),
    /// The trajectory cannot be read.
    #[error(transparent)]
    Trajectory(#[from] TrajectoryError),
    /// A frame could not be rendered.
    #[error(transparent)]
    Render(seedstorm_render::RenderError),
    /// A renderer that is a program of its own.
    #[error(transparent)]
    Plugin(PluginError),
    /// No renderer is called so.
    #[error("there is no renderer `{name}`: there are cpu, gpu, {there_are}")]
    NoSuchRenderer {
        /// What it was called.
        name: String,
        /// What others are called.
        there_are: String,
    },
    /// A plug-in that is called like one of ours.
    #[error("a renderer called `{0}` comes with this program")]
    RendererTaken(String),
    /// Files that no renderer here reads.
    #[error("no renderer here reads {0}")]
    NobodyReads(PathBuf),
    /// A picture could not be written or read.
    #[error(transparent)]
    Image(#[from] seedstorm_render::image_file::ImageFileError),
    /// A frame that is no picture.
    #[error("{}: {source}", path.display())]
    Frame {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: seedstorm_render::image_file::ImageFileError,
    },
    /// There is no model of the piece.
    #[error(transparent)]
    Model(#[from] seedstorm_render::glb::GlbError),
    /// The preview could not be encoded.
    #[error(transparent)]
    Preview(#[from] seedstorm_render::preview::PreviewError),
    /// The film could not be encoded.
    #[error(transparent)]
    Film(#[from] seedstorm_render::film::FilmError),
    /// Content, keys or the chain.
    #[error(transparent)]
    Mint(Box<seedstorm_mint::Error>),
    /// The disk refused.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Nothing is known by that name.
    #[error("`{0}` is neither a token's number nor a bundle's folder")]
    NoSuchPiece(String),
    /// The token's content is not in the store.
    #[error("the content of token {token} is not in the store at {store}")]
    NotStored {
        /// The token.
        token: u64,
        /// The store.
        store: PathBuf,
    },
    /// A folder of the home does not hold the piece that it is named for.
    #[error("{folder} should hold the finished piece of this recipe, and does not: {problem}")]
    Spoiled {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A name or description was given for a piece that was made under another.
    #[error("this piece was made before, as `{0}`: its metadata does not change")]
    Named(String),
    /// A token of this recipe commits to other metadata than its folder has.
    #[error("token {token} is of this recipe, and commits to other metadata than that in {folder}")]
    MintedOtherwise {
        /// The token.
        token: u64,
        /// The folder.
        folder: PathBuf,
    },
    /// Another program minted the recipe meanwhile, under another name.
    #[error("token {0} is of this recipe, and has another name or description")]
    MintedAlready(u64),
    /// The content of a piece is that of another.
    #[error("its content is that of another recipe than {0}")]
    OtherRecipe(Cid),
    /// The key that made the collection is gone.
    #[error("{0} is gone, and the collection on the chain is its alone")]
    KeyLost(PathBuf),
    /// The chain that the collection was on is gone.
    #[error("{chain} is gone, and the collection that {collection} names was on it")]
    ChainLost {
        /// Where the chain was.
        chain: PathBuf,
        /// What says where the collection is.
        collection: PathBuf,
    },
    /// What says where the collection is on the chain is gone, and this key did not make it.
    #[error("{0} is missing, and no collection on the chain is of this key")]
    CollectionLost(PathBuf),
    /// The password in the environment cannot be read.
    #[error("SEEDSTORM_PASSWORD is not valid UTF-8")]
    Password,
    /// A sweep that cannot be made.
    #[error("this sweep cannot be made: {0}")]
    Sweep(String),
    /// A trajectory's checkpoints do not lead to the root that its metadata names.
    #[error("the trajectory's checkpoints lead to {found}, its metadata names {claimed}")]
    OtherRoot {
        /// What the metadata names.
        claimed: Digest,
        /// What the checkpoints lead to.
        found: Digest,
    },
    /// Frames that a film does not have.
    #[error("frames {asked:?} are not all there: the film has {there_are:?}, the end excluded")]
    Frames {
        /// What was asked for.
        asked: std::ops::Range<u32>,
        /// Which there are.
        there_are: std::ops::Range<u32>,
    },
    /// A folder that holds something else.
    #[error("{folder} holds other frames: {by}")]
    Occupied {
        /// The folder.
        folder: PathBuf,
        /// What it holds.
        by: String,
    },
    /// The way to a segment is wrong already.
    #[error("segment {0} does not lead to the checkpoint that is claimed: the run is forged there, or before")]
    Parted(u32),
    /// Two pieces that have nothing to do with one another.
    #[error("these are pieces of two worlds")]
    OtherWorld,
    /// A journal that cannot be used.
    #[error("the journal {path} cannot be used: {problem}")]
    Journal {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// What was given is no key.
    #[error("this is no key: it takes 64 hexadecimal digits, or the path of a keystore's file")]
    NoKey,
    /// A password that is too short to keep a key.
    #[error("a password has at least {} letters", crate::wallet::MIN_PASSWORD)]
    ShortPassword,
    /// Another process works on the same sweep, or the same piece.
    #[error("another process is at work on this, and holds {0}")]
    Busy(PathBuf),
    /// The caller gave up.
    #[error("stopped; what is done is kept")]
    Stopped,
}

impl StudioError {
    /// For `map_err` on what the disk says of `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// Whether the request was wrong, rather than its execution.
    #[must_use]
    pub fn is_wrong_use(&self) -> bool {
        match self {
            Self::Recipe(_)
            | Self::Scene { .. }
            | Self::Sweep(_)
            | Self::NoSuchPiece(_)
            | Self::Named(_)
            | Self::Password
            | Self::NoKey
            | Self::ShortPassword
            | Self::OtherWorld
            | Self::Frames { .. }
            | Self::NoSuchRenderer { .. }
            | Self::RendererTaken(_)
            | Self::NobodyReads(_)
            | Self::Plugin(
                PluginError::Manifest { .. }
                | PluginError::Folder { .. }
                | PluginError::Digest { .. }
                | PluginError::Unreadable { .. },
            )
            | Self::Occupied { .. }
            | Self::Sim(SimError::NoSegment { .. }) => true,
            Self::Mint(error) => matches!(**error, seedstorm_mint::Error::Metadata(_)),
            _ => false,
        }
    }

    /// What to do about it, where there is more to say than the message does.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Recipe(RecipeError::UnknownScenario { .. }) => Some("`seedstorm scenarios` lists them".into()),
            Self::Scene { error, .. } | Self::Recipe(RecipeError::Scene(error)) => Some(error.help.clone()),
            Self::Recipe(RecipeError::UnknownParam { .. } | RecipeError::BadTrait { .. }) => {
                Some("`seedstorm scenarios` lists each scenario's parameters and traits; `seedstorm scene check FILE` a scene's".into())
            }
            Self::MintedAlready(_) => Some("a recipe is minted once: `seedstorm tokens` lists what was minted here".into()),
            Self::NoSuchPiece(_) => Some("`seedstorm tokens` lists what was minted here".into()),
            Self::NotStored { .. } => {
                Some("make the piece again from its recipe: the same recipe gives the same content".into())
            }
            Self::Spoiled { .. } => {
                Some("move the folder away and make the piece again: the same recipe gives the same content".into())
            }
            Self::MintedOtherwise { .. } => Some(
                "move the folder away and make the piece again, with the --name and --description that it was minted with".into(),
            ),
            Self::OtherRoot { .. } => Some("`seedstorm verify` says what else does not hold".into()),
            Self::Parted(_) => Some("`seedstorm bisect` finds the step, against a piece that was made honestly".into()),
            Self::Render(seedstorm_render::RenderError::Device(_)) => Some("`--renderer cpu` needs no device".into()),
            Self::NoSuchRenderer { .. } | Self::NobodyReads(_) => {
                Some("`seedstorm renderers` lists them; `seedstorm renderer add DIR` adds one".into())
            }
            Self::RendererTaken(_) => Some("give it another name in its renderer.toml".into()),
            Self::Plugin(error) => plugin_help(error),
            Self::Occupied { .. } => Some("give `--out` a folder of its own".into()),
            Self::OtherWorld => Some("only runs of one world part at a step: compare pieces of one scenario and seed".into()),
            Self::Journal { .. } => Some("`seedstorm replay PIECE --segment N --journal FILE` writes one".into()),
            Self::Sim(SimError::OtherPlan { .. }) => {
                Some("the trajectory is cut, padded or of another world: nothing that it claims is to be believed".into())
            }
            Self::Sim(SimError::NoSegment { .. }) => Some("segments are counted from 0".into()),
            Self::Busy(_) => Some("wait for it, or stop it: what it has done is kept".into()),
            Self::Sweep(_) => Some("`seedstorm help sweep` says what a sweep can be".into()),
            Self::Stopped => Some(
                "the same command goes on from here; where the seed was random, give the printed one with --seed".into(),
            ),
            Self::KeyLost(_) => {
                Some("restore it from a copy; or set SEEDSTORM_HOME to a new folder, which begins a new collection".into())
            }
            Self::CollectionLost(_) => {
                Some("restore it from a copy; or restore the key that made the collection, and it is found again".into())
            }
            Self::ChainLost { collection, .. } => Some(format!(
                "restore the chain from a copy; or move {} away too, which begins a new chain and a new collection",
                collection.display()
            )),
            Self::Recipe(_) => Some("`seedstorm recipe bloom` prints one that can be used".into()),
            Self::Mint(error) => Some(
                match **error {
                    seedstorm_mint::Error::Keystore(_) => "SEEDSTORM_PASSWORD has to be the one that the key was made with",
                    seedstorm_mint::Error::Metadata(MetadataError::Json(_) | MetadataError::NotCanonical) => {
                        "what was published in its place is no metadata of a piece: whoever minted it can say more"
                    }
                    seedstorm_mint::Error::Metadata(_) => "choose another name or description: `seedstorm help make`",
                    seedstorm_mint::Error::Car(_) | seedstorm_mint::Error::Archived(_) => {
                        "nothing of it was kept: get the archive again, or make the piece again from its recipe"
                    }
                    seedstorm_mint::Error::Collection(CollectionError::NotACollection(_)) => {
                        "move `collection.json` out of the home's `chain` folder: the next `seedstorm make` looks for the \
                         collection again, or begins another"
                    }
                    seedstorm_mint::Error::Chain(ChainError::Io { .. })
                    | seedstorm_mint::Error::Collection(CollectionError::Node { code: INTERNAL_ERROR, .. }) => {
                        "check that the home's `chain` folder can be written and the disk has room, then give the same \
                         command again: nothing is minted twice"
                    }
                    seedstorm_mint::Error::Collection(
                        CollectionError::NotTheOwner { .. } | CollectionError::NoSuchToken(_) | CollectionError::NoReceiver(_),
                    ) => "nothing was changed: `seedstorm tokens` says what there is, and whose it is",
                    seedstorm_mint::Error::Chain(_) | seedstorm_mint::Error::Collection(_) => {
                        "restore the home's `chain` folder from a copy; content can always be made again from its recipe"
                    }
                    _ => "check the disk; content can always be made again from its recipe",
                }
                .into(),
            ),
            Self::Named(_) => Some("leave out --name and --description, or change the recipe".into()),
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Some("check the path".into()),
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists => {
                Some("choose a name that nothing has yet: what is there is not replaced".into())
            }
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::InvalidInput => {
                Some("it has to be a plain file: links, pipes and devices are neither read nor replaced".into())
            }
            Self::Io { .. } => {
                Some("check that the folder can be written and the disk has room; SEEDSTORM_HOME moves it".into())
            }
            _ => None,
        }
    }
}

fn plugin_help(error: &PluginError) -> Option<String> {
    Some(match error {
        PluginError::Missing { program, .. } => format!("install it; on Debian: apt install {}", package(program)),
        PluginError::Unconfined(_) => {
            "install bubblewrap (on Debian: apt install bubblewrap), or give --unconfined if you \
                                       trust the renderer and the file as you would any other program"
                .into()
        }
        PluginError::Digest { .. } => {
            "if you trust what changed, `seedstorm renderer check DIR --seal` writes the new digest into the manifest"
                .into()
        }
        PluginError::Manifest { .. } | PluginError::Folder { .. } => {
            "`seedstorm renderer check DIR` goes through a plug-in; the guide is render/renderers/README.md".into()
        }
        PluginError::Unreadable { .. } => "`seedstorm renderers` lists who reads what".into(),
        PluginError::Failed { by_limit: true, .. } => {
            "frames that were finished are kept; a manifest's `limits` say what a renderer may use".into()
        }
        _ => return None,
    })
}

/// The Debian package that brings a program.
fn package(program: &str) -> &str {
    match program {
        "bwrap" => "bubblewrap",
        other => other,
    }
}

impl From<PluginError> for StudioError {
    fn from(error: PluginError) -> Self {
        match error {
            PluginError::Cancelled => Self::Stopped,
            other => Self::Plugin(other),
        }
    }
}

impl From<SimError> for StudioError {
    fn from(error: SimError) -> Self {
        match error {
            SimError::Recipe(error) => Self::Recipe(error),
            SimError::Stopped => Self::Stopped,
            other => Self::Sim(other),
        }
    }
}

impl From<seedstorm_render::RenderError> for StudioError {
    fn from(error: seedstorm_render::RenderError) -> Self {
        match error {
            seedstorm_render::RenderError::Cancelled => Self::Stopped,
            other => Self::Render(other),
        }
    }
}

macro_rules! from_mint {
    ($($error:ty),*) => {$(
        impl From<$error> for StudioError {
            fn from(error: $error) -> Self {
                Self::Mint(Box::new(error.into()))
            }
        }
    )*};
}

from_mint!(
    seedstorm_mint::bundle::BundleError,
    seedstorm_mint::store::StoreError,
    seedstorm_mint::unixfs::UnixfsError,
    seedstorm_mint::car::CarError,
    seedstorm_mint::archived::ArchivedError,
    seedstorm_mint::metadata::MetadataError,
    seedstorm_mint::attestation::AttestationError,
    seedstorm_mint::keystore::KeystoreError,
    seedstorm_mint::chain::ChainError,
    seedstorm_mint::collection::CollectionError
);
