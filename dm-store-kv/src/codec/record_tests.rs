//! Keys of records sort as the records do, and rows of records are decoded to the encoded values.

use bytes::Bytes;
use dm_core::store::{
    ConversationId, Kind, Name, Owner, Prefix, Record, RecordKey, Revision, Tag, Timestamp, UserId,
};
use proptest::prelude::*;

use super::*;

/// Bytes of which many are equal and some are the smallest or the largest.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![Just(0), Just(1), Just(0xfe), Just(0xff), any::<u8>()]
}

/// Names of which many are the start of another one.
fn names() -> BoxedStrategy<Name> {
    prop_oneof![
        prop::collection::vec(byte(), 0..4),
        prop::collection::vec(Just(0xff), 0..=Name::MAX_LEN),
        prop::collection::vec(byte(), 0..=Name::MAX_LEN),
    ]
    .prop_map(|bytes| Name::new(bytes).unwrap())
    .boxed()
}

fn owners() -> BoxedStrategy<Owner> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(|bytes| Owner::User(UserId::from_stored(bytes))),
        byte().prop_map(|byte| Owner::User(UserId::from_stored([byte; 32]))),
        byte().prop_map(|byte| Owner::Conversation(ConversationId::from_bytes([byte; 16]))),
        Just(Owner::Store),
    ]
    .boxed()
}

fn keys() -> impl Strategy<Value = RecordKey> {
    let kinds = prop::array::uniform2(byte()).prop_map(|bytes| Kind::from_stored(u16::from_be_bytes(bytes)));
    (owners(), kinds, names()).prop_map(|(owner, kind, name)| RecordKey::new(owner, kind, name))
}

fn times() -> impl Strategy<Value = Timestamp> {
    prop_oneof![0..3_u64, any::<u64>()].prop_map(Timestamp::from_millis)
}

proptest! {
    #[test]
    fn keys_sort_as_the_records_do(one in keys(), other in keys()) {
        prop_assert_eq!(record_key(&one).cmp(&record_key(&other)), one.cmp(&other));
        // The same for keys that differ in the name only.
        let other = RecordKey { name: other.name, ..one.clone() };
        prop_assert_eq!(record_key(&one).cmp(&record_key(&other)), one.cmp(&other));
        prop_assert!(record_key(&one).len() <= 139);
        prop_assert!(after(record_key(&one)) > record_key(&one));
        prop_assert_eq!(after(record_key(&one)) <= record_key(&other), one < other);
    }

    #[test]
    fn due_keys_sort_by_kind_time_and_record(
        (one, one_at) in (keys(), times()),
        (other, other_at) in (keys(), times()),
    ) {
        let encoded = |key: &RecordKey, at| due_key(key.kind, at, key.owner, &key.name);
        let order = |key: &RecordKey, at: Timestamp| (key.kind, at, key.clone());
        prop_assert_eq!(
            encoded(&one, one_at).cmp(&encoded(&other, other_at)),
            order(&one, one_at).cmp(&order(&other, other_at))
        );
        prop_assert!(encoded(&one, one_at).len() <= 139);
        prop_assert_eq!(due_key_and_time(&encoded(&one, one_at)).unwrap(), (one, one_at));
    }

    #[test]
    fn the_bounds_of_a_prefix_include_exactly_its_records(key in keys(), other in keys(), len in 0..=96_usize) {
        let start = key.name.as_bytes();
        let name = Name::new(start[..len.min(start.len())].to_vec()).unwrap();
        let prefix = Prefix { owner: key.owner, kind: key.kind, name };
        let bounds = prefix_key(&prefix)..=end_of_prefix(&prefix);
        prop_assert!(bounds.contains(&record_key(&key)));
        for other in [RecordKey { name: other.name.clone(), ..key }, other] {
            prop_assert_eq!(bounds.contains(&record_key(&other)), prefix.contains(&other));
        }
        prop_assert!(bounds.end().len() <= 140);
    }

    #[test]
    fn a_record_is_decoded_from_its_row(
        key in keys(),
        value in prop::collection::vec(any::<u8>(), 0..50),
        tag in any::<[u8; 16]>(),
        due in prop::option::of(times()),
        revision in any::<u64>(),
    ) {
        let (value, tag, revision) = (Bytes::from(value), Tag::from_bytes(tag), Revision::new(revision));
        let record = Record { key: key.clone(), value, tag, due, revision };
        let row = RecordRow::encode(&record);
        prop_assert_eq!(RecordRow::decode(Fields::new(&row)).unwrap().with_key(key.clone()), record);
        let index = revision_value(&key);
        prop_assert_eq!(revision_row(key.owner, Fields::new(&index)).unwrap(), key);
    }
}

#[test]
fn rows_of_records_that_are_too_short_or_of_another_form_are_refused() {
    let key = RecordKey::fence(Owner::Store);
    let (tag, due) = (Tag::from_bytes([1; 16]), Some(Timestamp::from_millis(9)));
    let record = Record { key: key.clone(), value: Bytes::new(), tag, due, revision: Revision::ZERO };
    let mut row = RecordRow::encode(&record);
    for len in 0..row.len() {
        assert!(RecordRow::decode(Fields::new(&row[..len])).is_err(), "{len}");
    }
    row[24] = 2;
    assert!(RecordRow::decode(Fields::new(&row)).is_err());
    let due = due_key(key.kind, Timestamp::from_millis(9), key.owner, &key.name);
    for len in 0..due.len() {
        assert!(due_key_and_time(&due[..len]).is_err(), "{len}");
    }
    assert!(due_key_and_time(&[due.as_slice(), &[0; 97]].concat()).is_err(), "a name of 97 bytes");
}
