//! The table of operations: name, what it needs, its parameters.
//!
//! Names and body fields are those that EmDash's other runners use on the wire, so that `createBridgeHandler` takes
//! their calls, too. The operation of the same name in `host/bridge/` gets the arguments in the row's order.
use super::params::{
    Param, byte_limit, bytes, collection_name, content_batch, content_data, content_ids, content_limit,
    content_updates, create_options, cursor, email_message, items, json, key, lenient_string, lossy_string,
    one_of, optional_integer, optional_json, optional_record, optional_string, order_by, query_limit, string,
    string_array,
};
use crate::manifest::Capability;

/// The parameter that [`Need::DeclaredCollection`] speaks of.
pub(super) const COLLECTION: &str = "collection";

const LEVELS: &[&str] = &["debug", "info", "warn", "error"];

/// An operation. One for each row of the table, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    KvGet,
    KvSet,
    KvDelete,
    KvList,
    StorageGet,
    StoragePut,
    StorageDelete,
    StorageExists,
    StorageQuery,
    StorageCount,
    StorageGetMany,
    StoragePutMany,
    StorageDeleteMany,
    ContentGet,
    ContentList,
    ContentCreate,
    ContentUpdate,
    ContentDelete,
    ContentCreateMany,
    ContentUpdateMany,
    ContentDeleteMany,
    TaxonomyList,
    TaxonomyTerms,
    TaxonomyEntryTerms,
    MediaGet,
    MediaList,
    MediaUpload,
    MediaReadBytes,
    MediaDelete,
    UsersGet,
    UsersGetByEmail,
    UsersList,
    EmailSend,
    Log,
}

/// What a plugin must hold for an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    Capability(Capability),
    /// The manifest declares the storage collection that the parameter `collection` names.
    DeclaredCollection,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) method: Method,
    /// On the wire, and of the operation in `host/bridge/`.
    pub(super) name: &'static str,
    pub(super) needs: Need,
    pub(super) params: &'static [Param],
}

const fn row(method: Method, name: &'static str, needs: Need, params: &'static [Param]) -> Row {
    Row {
        method,
        name,
        needs,
        params,
    }
}

const READS_CONTENT: Need = Need::Capability(Capability::ContentRead);
const WRITES_CONTENT: Need = Need::Capability(Capability::ContentWrite);
const READS_TAXONOMIES: Need = Need::Capability(Capability::TaxonomiesRead);
const READS_MEDIA: Need = Need::Capability(Capability::MediaRead);
const WRITES_MEDIA: Need = Need::Capability(Capability::MediaWrite);
const READS_USERS: Need = Need::Capability(Capability::UsersRead);
const SENDS_EMAIL: Need = Need::Capability(Capability::EmailSend);
const DECLARED: Need = Need::DeclaredCollection;

#[rustfmt::skip]
static TABLE: &[Row] = &[
    row(Method::KvGet, "kv/get", Need::Nothing, &[string("key")]),
    row(Method::KvSet, "kv/set", Need::Nothing, &[key("key"), json("value")]),
    row(Method::KvDelete, "kv/delete", Need::Nothing, &[string("key")]),
    row(Method::KvList, "kv/list", Need::Nothing, &[optional_string("prefix", Some(""))]),
    row(Method::StorageGet, "storage/get", DECLARED, &[string(COLLECTION), string("id")]),
    row(Method::StoragePut, "storage/put", DECLARED, &[string(COLLECTION), key("id"), json("data")]),
    row(Method::StorageDelete, "storage/delete", DECLARED, &[string(COLLECTION), string("id")]),
    row(Method::StorageExists, "storage/exists", DECLARED, &[string(COLLECTION), string("id")]),
    row(Method::StorageQuery, "storage/query", DECLARED, &[
        string(COLLECTION), optional_record("where"), order_by("orderBy"), query_limit("limit"), cursor("cursor"),
    ]),
    row(Method::StorageCount, "storage/count", DECLARED, &[string(COLLECTION), optional_record("where")]),
    row(Method::StorageGetMany, "storage/getMany", DECLARED, &[string(COLLECTION), string_array("ids")]),
    row(Method::StoragePutMany, "storage/putMany", DECLARED, &[string(COLLECTION), items("items")]),
    row(Method::StorageDeleteMany, "storage/deleteMany", DECLARED, &[string(COLLECTION), string_array("ids")]),
    row(Method::ContentGet, "content/get", READS_CONTENT, &[collection_name(COLLECTION), string("id")]),
    row(Method::ContentList, "content/list", READS_CONTENT, &[
        collection_name(COLLECTION), content_limit("limit"), cursor("cursor"),
    ]),
    row(Method::ContentCreate, "content/create", WRITES_CONTENT, &[
        collection_name(COLLECTION), content_data("data"), create_options("options"),
    ]),
    row(Method::ContentUpdate, "content/update", WRITES_CONTENT, &[
        collection_name(COLLECTION), string("id"), content_data("data"),
    ]),
    row(Method::ContentDelete, "content/delete", WRITES_CONTENT, &[collection_name(COLLECTION), string("id")]),
    row(Method::ContentCreateMany, "content/createMany", WRITES_CONTENT, &[
        collection_name(COLLECTION), content_batch("items"),
    ]),
    row(Method::ContentUpdateMany, "content/updateMany", WRITES_CONTENT, &[
        collection_name(COLLECTION), content_updates("items"),
    ]),
    row(Method::ContentDeleteMany, "content/deleteMany", WRITES_CONTENT, &[
        collection_name(COLLECTION), content_ids("ids"),
    ]),
    row(Method::TaxonomyList, "taxonomy/list", READS_TAXONOMIES, &[optional_string("locale", None)]),
    row(Method::TaxonomyTerms, "taxonomy/terms", READS_TAXONOMIES, &[
        string("taxonomy"), optional_string("locale", None),
    ]),
    row(Method::TaxonomyEntryTerms, "taxonomy/entryTerms", READS_TAXONOMIES, &[
        string(COLLECTION), string("entryId"), optional_string("taxonomy", None), optional_string("locale", None),
    ]),
    row(Method::MediaGet, "media/get", READS_MEDIA, &[string("id")]),
    row(Method::MediaList, "media/list", READS_MEDIA, &[
        lenient_string("mimeType"), content_limit("limit"), cursor("cursor"),
    ]),
    row(Method::MediaUpload, "media/upload", WRITES_MEDIA, &[
        string("filename"), string("contentType"), bytes("bytes"),
    ]),
    row(Method::MediaReadBytes, "media/readBytes", Need::Capability(Capability::MediaBytesRead), &[
        string("id"), byte_limit("maxBytes"),
    ]),
    row(Method::MediaDelete, "media/delete", WRITES_MEDIA, &[string("id")]),
    row(Method::UsersGet, "users/get", READS_USERS, &[string("id")]),
    row(Method::UsersGetByEmail, "users/getByEmail", READS_USERS, &[string("email")]),
    row(Method::UsersList, "users/list", READS_USERS, &[
        optional_integer("role"), content_limit("limit"), cursor("cursor"),
    ]),
    row(Method::EmailSend, "email/send", SENDS_EMAIL, &[email_message("message")]),
    row(Method::Log, "log", Need::Nothing, &[one_of("level", LEVELS), lossy_string("msg"), optional_json("data")]),
];

impl Method {
    /// The operation of this wire name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.method)
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether the host's half of it writes only after it has waited: for a call-back of the site, a file to be stored, or
    /// a transaction's turn. It asks once more then whether it still may.
    pub(crate) fn writes_late(self) -> bool {
        matches!(
            self,
            Self::ContentCreate
                | Self::ContentUpdate
                | Self::ContentDelete
                | Self::ContentCreateMany
                | Self::ContentUpdateMany
                | Self::ContentDeleteMany
                | Self::MediaUpload
                | Self::StoragePutMany
                | Self::StorageDeleteMany
        )
    }

    /// The operation's row.
    pub(super) fn row(self) -> &'static Row {
        // In bounds: the tests compare each row's place with its method, and find a row for each method.
        &TABLE[self as usize]
    }

    /// Every operation.
    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_finds_its_own_row() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(row.method as usize, place, "{} is out of order", row.name);
            assert_eq!(Method::parse(row.name), Some(row.method));
        }
        assert_eq!(
            Method::Log as usize + 1,
            TABLE.len(),
            "the last method has the last row"
        );
    }

    #[test]
    fn whatever_touches_storage_needs_a_declared_collection_and_reads_it_first() {
        for row in TABLE {
            let is_storage = row.name.starts_with("storage/");
            assert_eq!(is_storage, row.needs == Need::DeclaredCollection, "{}", row.name);
            assert!(!is_storage || row.params[0] == string(COLLECTION), "{}", row.name);
        }
    }

    #[test]
    fn whatever_touches_content_needs_a_capability_and_checks_the_name() {
        for row in TABLE.iter().filter(|row| row.name.starts_with("content/")) {
            assert!(matches!(row.needs, Need::Capability(_)), "{}", row.name);
            assert_eq!(row.params[0], collection_name(COLLECTION), "{}", row.name);
        }
    }

    #[test]
    fn a_row_names_each_parameter_once() {
        for row in TABLE {
            for (place, param) in row.params.iter().enumerate() {
                assert!(
                    !row.params[..place]
                        .iter()
                        .any(|earlier| earlier.name == param.name),
                    "{}",
                    row.name
                );
            }
        }
    }
}
