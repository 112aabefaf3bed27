//! DAG-PB nodes and the UnixFS message inside them, byte for byte as Kubo writes them.
//!
//! Sources: <https://ipld.io/specs/codecs/dag-pb/spec/> and <https://specs.ipfs.tech/unixfs/>. Both are protobuf
//! messages of a handful of fields. Kubo writes a node's links before its data, though their field numbers are the
//! other way round, and a link's name even where it is empty; a general protobuf writer would give other bytes, and so
//! other CIDs.

use cid::Cid;

use crate::block::{self, MAX_BLOCK_BYTES};

/// Why a block is no node that can be read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a UnixFS node: {0}")]
pub struct NodeError(pub(crate) &'static str);

/// One link of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What the link leads to.
    pub cid: Cid,
    /// The name of an entry of a folder; empty between the parts of a file.
    pub name: String,
    /// Bytes of all blocks below, counted as often as they are linked to.
    pub total_bytes: u64,
}

/// What a DAG-PB node is in UnixFS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder; its links are its entries.
    Folder,
    /// A file or a part of one: `inline` first, then what each link leads to.
    File {
        /// Bytes that the node itself holds.
        inline: Vec<u8>,
        /// The file bytes below each link, in the order of the links.
        part_bytes: Vec<u64>,
    },
}

/// A DAG-PB node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it leads.
    pub links: Vec<Link>,
}

// UnixFS `DataType`.
const RAW_TYPE: u64 = 0;
const FOLDER_TYPE: u64 = 1;
const FILE_TYPE: u64 = 2;

// Protobuf wire types.
const VARINT: u64 = 0;
const BYTES: u64 = 2;

impl Node {
    /// The node's bytes, as Kubo writes them. The links of a folder have to be in order already.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.links.len() * 64);
        for link in &self.links {
            let mut message = Vec::with_capacity(64);
            put_bytes(&mut message, 1, &link.cid.to_bytes());
            put_bytes(&mut message, 2, link.name.as_bytes());
            put_varint(&mut message, 3 << 3 | VARINT);
            put_varint(&mut message, link.total_bytes);
            put_bytes(&mut out, 2, &message);
        }
        put_bytes(&mut out, 1, &self.data());
        out
    }

    /// The UnixFS message: type, data, file size, block sizes.
    fn data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        put_varint(&mut data, 1 << 3 | VARINT);
        match &self.kind {
            Kind::Folder => put_varint(&mut data, FOLDER_TYPE),
            Kind::File { inline, part_bytes } => {
                put_varint(&mut data, FILE_TYPE);
                if !inline.is_empty() {
                    put_bytes(&mut data, 2, inline);
                }
                put_varint(&mut data, 3 << 3 | VARINT);
                put_varint(&mut data, inline.len() as u64 + part_bytes.iter().sum::<u64>());
                for bytes in part_bytes {
                    put_varint(&mut data, 4 << 3 | VARINT);
                    put_varint(&mut data, *bytes);
                }
            }
        }
        data
    }

    /// Reads a node from a block's bytes.
    ///
    /// # Errors
    ///
    /// What is malformed, or of a kind that does not occur here (symbolic links, sharded folders).
    pub fn decode(bytes: &[u8]) -> Result<Self, NodeError> {
        if bytes.len() > MAX_BLOCK_BYTES {
            return Err(NodeError("larger than a block may be"));
        }
        let mut links = Vec::new();
        let mut data = None;
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(bytes)) if data.is_none() => data = Some(bytes),
                (2, Value::Bytes(bytes)) => links.push(Link::decode(bytes)?),
                _ => return Err(NodeError("a field that DAG-PB does not have, or one twice")),
            }
        }
        let kind = decode_data(data.ok_or(NodeError("no UnixFS message"))?)?;
        match &kind {
            Kind::File { part_bytes, .. } if part_bytes.len() != links.len() => {
                Err(NodeError("as many part sizes as links are needed"))
            }
            _ => Ok(Self { kind, links }),
        }
    }
}

impl Link {
    fn decode(bytes: &[u8]) -> Result<Self, NodeError> {
        let (mut cid, mut name, mut total_bytes) = (None, None, None);
        let mut fields = Fields(bytes);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(bytes)) if cid.is_none() => {
                    let read = Cid::try_from(bytes).map_err(|_| NodeError("a link without a valid CID"))?;
                    block::check_kind(&read).map_err(|_| NodeError("a link to a kind of block that is not kept"))?;
                    cid = Some(read);
                }
                (2, Value::Bytes(bytes)) if name.is_none() => {
                    name = Some(str::from_utf8(bytes).map_err(|_| NodeError("a name that is not UTF-8"))?.to_owned());
                }
                (3, Value::Varint(bytes)) if total_bytes.is_none() => total_bytes = Some(bytes),
                _ => return Err(NodeError("a field that a link does not have, or one twice")),
            }
        }
        Ok(Self {
            cid: cid.ok_or(NodeError("a link without a CID"))?,
            name: name.unwrap_or_default(),
            total_bytes: total_bytes.unwrap_or_default(),
        })
    }
}

fn decode_data(bytes: &[u8]) -> Result<Kind, NodeError> {
    let (mut kind, mut inline, mut size) = (None, None, None);
    let mut part_bytes = Vec::new();
    let mut fields = Fields(bytes);
    while let Some((number, value)) = fields.next()? {
        match (number, value) {
            (1, Value::Varint(value)) if kind.is_none() => kind = Some(value),
            (2, Value::Bytes(value)) if inline.is_none() => inline = Some(value.to_vec()),
            (3, Value::Varint(value)) if size.is_none() => size = Some(value),
            (4, Value::Varint(value)) => part_bytes.push(value),
            _ => return Err(NodeError("a UnixFS field that is not known here (sharding, mode or time), or one twice")),
        }
    }
    let inline = inline.unwrap_or_default();
    match kind {
        Some(FOLDER_TYPE) if inline.is_empty() && part_bytes.is_empty() => Ok(Kind::Folder),
        Some(RAW_TYPE | FILE_TYPE) => {
            let parts = part_bytes.iter().try_fold(inline.len() as u64, |sum, part| sum.checked_add(*part));
            if parts.is_none() || size.is_some_and(|size| Some(size) != parts) {
                return Err(NodeError("its size is not the sum of its parts"));
            }
            Ok(Kind::File { inline, part_bytes })
        }
        _ => Err(NodeError("neither a file nor a plain folder")),
    }
}

enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

/// The fields of a protobuf message, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, NodeError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            VARINT => Value::Varint(self.varint()?),
            BYTES => {
                let length = self.varint()?;
                let length = usize::try_from(length).ok().filter(|length| *length <= self.0.len());
                let (bytes, rest) = self.0.split_at(length.ok_or(NodeError("a field that runs past the end"))?);
                self.0 = rest;
                Value::Bytes(bytes)
            }
            _ => return Err(NodeError("a field of a type that it does not use")),
        };
        Ok(Some((key >> 3, value)))
    }

    fn varint(&mut self) -> Result<u64, NodeError> {
        let mut value = 0_u64;
        for (index, byte) in self.0.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            if index == 9 && bits > 1 {
                break;
            }
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                self.0 = &self.0[index + 1..];
                return Ok(value);
            }
        }
        Err(NodeError("a number that is cut off or too large"))
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(out, field << 3 | BYTES);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::block::{DAG_PB, RAW, cid_of, raw_cid};

    #[test]
    fn the_empty_folder_and_the_empty_file_have_their_well_known_cids() {
        let folder = Node { kind: Kind::Folder, links: Vec::new() };
        let cid = cid_of(DAG_PB, &folder.encode());
        assert_eq!(cid.to_string(), "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354");
        let file = Node { kind: Kind::File { inline: Vec::new(), part_bytes: Vec::new() }, links: Vec::new() };
        let cid = Cid::new_v0(*cid_of(DAG_PB, &file.encode()).hash()).unwrap();
        assert_eq!(cid.to_string(), "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH");
    }

    #[test]
    fn sizes_that_do_not_add_up_are_refused() {
        let part = Link { cid: raw_cid(b"abc"), name: String::new(), total_bytes: 3 };
        let good = Node { kind: Kind::File { inline: Vec::new(), part_bytes: vec![3] }, links: vec![part.clone()] };
        assert_eq!(Node::decode(&good.encode()).unwrap(), good);
        let missing = Node { kind: Kind::File { inline: Vec::new(), part_bytes: Vec::new() }, links: vec![part] };
        assert!(Node::decode(&missing.encode()).is_err());
    }

    fn link() -> impl Strategy<Value = Link> {
        (any::<[u8; 4]>(), "[a-zé😀.]{0,12}", any::<u64>(), any::<bool>()).prop_map(|(seed, name, total_bytes, raw)| {
            Link { cid: cid_of(if raw { RAW } else { DAG_PB }, &seed), name, total_bytes }
        })
    }

    proptest! {
        #[test]
        fn a_node_survives_its_bytes(
            links in prop::collection::vec(link(), 0..9),
            inline in prop::collection::vec(any::<u8>(), 0..40),
            sizes in prop::collection::vec(0..u64::MAX / 16, 9),
            folder in any::<bool>(),
        ) {
            let kind = if folder {
                Kind::Folder
            } else {
                Kind::File { inline, part_bytes: sizes[..links.len()].to_vec() }
            };
            let node = Node { kind, links };
            prop_assert_eq!(Node::decode(&node.encode()).unwrap(), node);
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Node::decode(&bytes);
        }

        #[test]
        fn a_flipped_bit_never_panics(links in prop::collection::vec(link(), 0..5), at in any::<prop::sample::Index>()) {
            let part_bytes = vec![7; links.len()];
            let mut bytes = Node { kind: Kind::File { inline: vec![1, 2, 3], part_bytes }, links }.encode();
            let bit = at.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let _ = Node::decode(&bytes);
        }
    }
}
