//! Features that are made of records only, and that no store knows of.

use dm_core::store::{Change, Kind, Name, Owner, RecordKey};

use crate::build::{append, conversation, open, tag, user};
use crate::pinned::{Device, list, pin};
use crate::records::{only, put, shared, size};
use crate::{Harness, World};

/// Pinned, listed, unpinned, and known to the user's devices after each sync.
pub async fn pinned_conversations_are_listed_first_and_synced<H: Harness>(world: World<H>) {
    let (store, me) = (world.store(), user(1));
    world.commit(vec![open(1, 1, 2), open(2, 1, 3), open(3, 1, 4)]).await;
    world.commit((1..=3).map(|n| append(n, 1, n).into()).collect()).await;
    let (mut phone, mut desk) = (Device::default(), Device::default());
    let listed = async || list(&*store, me).await.unwrap();
    let ids = |pins: [(u64, bool); 3]| pins.map(|(n, is_pinned)| (conversation(n), is_pinned));
    must_be!(listed().await, ids([(3, false), (2, false), (1, false)]));

    for n in [1, 2] {
        assert!(pin(&*store, me, conversation(n), true, tag(n)).await.unwrap());
        // The answer may have been lost.
        assert!(pin(&*store, me, conversation(n), true, tag(n)).await.unwrap());
    }
    must_be!(listed().await, ids([(2, true), (1, true), (3, false)]));
    phone.sync(&*store, me).await.unwrap();
    must_be!(phone.pins, [1, 2].map(|n| Name::from(conversation(n))).into());

    // Other features have synced records of their own.
    world.done(only(put(shared(1, "other"), "v", 1))).await;
    assert!(pin(&*store, me, conversation(1), false, tag(3)).await.unwrap());
    must_be!(listed().await, ids([(2, true), (3, false), (1, false)]));
    must_be!(list(&*store, user(2)).await.unwrap(), [(conversation(1), false)]);
    for device in [&mut phone, &mut desk] {
        device.sync(&*store, me).await.unwrap();
        must_be!(device.pins, [Name::from(conversation(2))].into());
    }
    must_be!(world.since(1, 0).await.revisions.head.get(), 4);

    // A host removes the records of a pin. A device that has the pin learns of it by the floor.
    let key =
        |n| RecordKey::new(Owner::User(me), Kind::custom(77, true).unwrap(), Name::from(conversation(n)));
    for n in [1, 2] {
        world.done(only(Change::Delete(key(n)))).await;
        desk.sync(&*store, me).await.unwrap();
        must_be!(desk.pins.len(), 2 - size(n));
    }
    phone.sync(&*store, me).await.unwrap();
    must_be!(phone.pins.len(), 0);
}
