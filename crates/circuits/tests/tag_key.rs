//! The instances of a store share the secret under which requests are tagged (B12).

use bytes::Bytes;
use circuits::{RedisStore, Store as _};
use testbed::RedisServer;

#[tokio::test]
async fn the_first_instances_secret_is_everyones() {
    let server = RedisServer::start().await;
    let connect = async || {
        let store = RedisStore::start(server.url().parse().unwrap());
        store.wait_connected().await.unwrap();
        store
    };
    let (a, b) = (connect().await, connect().await);
    let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b"second"));
    assert_eq!(a.share_secret(first.clone()).await.unwrap(), first);
    assert_eq!(b.share_secret(second).await.unwrap(), first);
    assert_eq!(server.cli(&["GET", "switchboard:tag_key"]).await, "first");
    assert_eq!(server.cli(&["KEYS", "circuit_breaker:*"]).await, "", "it is no circuit");
}
