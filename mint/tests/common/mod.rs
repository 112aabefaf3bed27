//! What the tests of a collection share: the same story is told on every chain.

use seedstorm_mint::block::raw_cid;
use seedstorm_mint::collection::CollectionError;
use seedstorm_mint::{Address, Collection, Deployment, Mint, NewCollection, PrivateKeySigner, Token};

use alloy::providers::DynProvider;

pub(crate) fn new_collection(creator: Address) -> NewCollection {
    NewCollection {
        name: "Storms".to_owned(),
        symbol: "STORM".to_owned(),
        creator,
        contract_uri: "ipfs://collection".to_owned(),
        royalty_bps: 500,
    }
}

pub(crate) fn piece(number: u8, to: Address) -> Mint {
    Mint { to, metadata: raw_cid(&[number]), recipe: raw_cid(&[number, 1]), sim_root: [number; 32] }
}

/// Deploys, mints, reads everything back, mints again, opens again. `creator` is the key of `provider`, with ether;
/// `stranger` is another key's provider of the same chain. Returns where the collection is.
pub(crate) async fn mint_and_read_back(
    provider: DynProvider,
    creator: &PrivateKeySigner,
    stranger: (DynProvider, Address),
) -> (Deployment, Vec<Token>) {
    let me = creator.address();
    let collector = Address::repeat_byte(0xc0);
    let collection = Collection::deploy(provider.clone(), new_collection(me)).await.unwrap();
    assert_eq!(collection.creator().await.unwrap(), me);
    assert!(collection.tokens().await.unwrap().is_empty());
    assert!(matches!(collection.token(1).await, Err(CollectionError::NoSuchToken(1))));
    assert!(matches!(collection.token(0).await, Err(CollectionError::NoSuchToken(0))));

    let first = collection.mint(me, &piece(1, me)).await.unwrap();
    assert_eq!(first.id, 1);
    assert_eq!(first.owner, me);
    assert_eq!(first.metadata, raw_cid(&[1]));
    assert_eq!(first.token_uri, format!("ipfs://{}", raw_cid(&[1])));
    assert_eq!(first.recipe, raw_cid(&[1, 1]));
    assert_eq!(first.sim_root, [1; 32]);
    let second = collection.mint(me, &piece(2, collector)).await.unwrap();
    assert_eq!((second.id, second.owner), (2, collector));
    assert!(second.block > first.block);

    // A mint that is made again after it was cut off finds its token.
    assert_eq!(collection.mint(me, &piece(1, me)).await.unwrap(), first);
    assert_eq!(collection.find_by_metadata(&raw_cid(&[2])).await.unwrap(), Some(second.clone()));
    assert_eq!(collection.find_by_metadata(&raw_cid(&[9])).await.unwrap(), None);
    assert_eq!(collection.tokens().await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(collection.token(2).await.unwrap(), second);

    // What the contract does not do, it says.
    let zero = Mint { sim_root: [0; 32], ..piece(3, me) };
    let error = collection.mint(me, &zero).await.unwrap_err();
    assert!(matches!(&error, CollectionError::Refused(why) if why.contains("ZeroDigest")), "{error:?}");
    let node = seedstorm_mint::block::cid_of(seedstorm_mint::block::DAG_PB, b"folder");
    let error = collection.mint(me, &Mint { metadata: node, ..piece(3, me) }).await.unwrap_err();
    assert!(matches!(error, CollectionError::NotRaw(_)), "{error:?}");
    let dear = NewCollection { royalty_bps: 1_001, ..new_collection(me) };
    let error = Collection::deploy(provider.clone(), dear).await.unwrap_err();
    assert!(matches!(&error, CollectionError::Refused(why) if why.contains("RoyaltyAboveCap")), "{error:?}");

    // Opened again, by its creator and by somebody else.
    let deployment = collection.deployment();
    let again = Collection::open(provider.clone(), deployment).await.unwrap();
    assert_eq!(again.tokens().await.unwrap(), [first.clone(), second.clone()]);
    let (other_provider, other) = stranger;
    let theirs = Collection::open(other_provider, deployment).await.unwrap();
    assert_eq!(theirs.token(1).await.unwrap(), first);
    let error = theirs.mint(other, &piece(4, other)).await.unwrap_err();
    assert!(matches!(error, CollectionError::NotTheCreator { creator } if creator == me), "{error:?}");
    let elsewhere = Deployment { address: Address::repeat_byte(9), ..deployment };
    let error = Collection::open(provider.clone(), elsewhere).await.unwrap_err();
    assert!(matches!(error, CollectionError::NotACollection(_)), "{error:?}");
    let error = Collection::open(provider, Deployment { chain_id: 1, ..deployment }).await.unwrap_err();
    assert!(matches!(error, CollectionError::OtherChain { expected: 1, .. }), "{error:?}");
    (deployment, vec![first, second])
}
