use std::time::Duration;

use simulator::{Behaviour, Fault, Simulator};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{Api, body, call, events_of, http, read_events, request, stream, try_call};

#[tokio::test]
async fn a_closed_port_refuses_and_the_same_port_opens_again() {
    let simulator = Simulator::start().await.unwrap();
    let address = simulator.address();
    for _ in 0..3 {
        simulator.refuse_connections().await.unwrap();
        let error = try_call(&simulator, Api::OpenAi, "m", false).await.unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        simulator.accept_connections().await.unwrap();
        assert_eq!(simulator.address(), address);
        assert_eq!(call(&simulator, Api::OpenAi, "m").await.status(), 200);
    }
}

#[tokio::test]
async fn closing_or_opening_twice_changes_nothing() {
    let simulator = Simulator::start().await.unwrap();
    simulator.accept_connections().await.unwrap();
    assert_eq!(call(&simulator, Api::OpenAi, "m").await.status(), 200);
    simulator.refuse_connections().await.unwrap();
    simulator.refuse_connections().await.unwrap();
    assert!(try_call(&simulator, Api::OpenAi, "m", false).await.unwrap_err().is_connect());
    simulator.accept_connections().await.unwrap();
    assert_eq!(call(&simulator, Api::OpenAi, "m").await.status(), 200);
}

#[tokio::test]
async fn a_closed_port_is_given_to_nobody_else() {
    let simulator = Simulator::start().await.unwrap();
    simulator.refuse_connections().await.unwrap();
    let other = TcpSocket::new_v4().unwrap();
    assert_eq!(other.bind(simulator.address()).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn a_closed_port_keeps_no_idle_connection() {
    let simulator = Simulator::start().await.unwrap();
    let client = http();
    let response = request(&client, &simulator, Api::OpenAi, &body("m", false)).send().await.unwrap();
    response.bytes().await.unwrap();
    let mut unused = TcpStream::connect(simulator.address()).await.unwrap();
    simulator.wait_until(|seen| seen.open_connections() == 2).await;
    simulator.refuse_connections().await.unwrap();
    assert_eq!(simulator.traffic().open_connections(), 0);
    assert_eq!(unused.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_call_under_way_survives_the_closing_of_the_port() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Behaviour::ok().gap(Duration::from_millis(1)).words(20));
    let mut response = stream(&simulator, Api::OpenAi, "m").await;
    let begun = read_events(&mut response, 1).await.len();
    simulator.refuse_connections().await.unwrap();
    let (rest, clean) = events_of(response).await;
    assert!(clean);
    assert_eq!(begun + rest.len(), 23);
    simulator.wait_until(|seen| seen.open_connections() == 0).await;
}

#[tokio::test]
async fn one_connection_serves_many_calls() {
    let simulator = Simulator::start().await.unwrap();
    let client = http();
    for _ in 0..3 {
        let response = request(&client, &simulator, Api::OpenAi, &body("m", true)).send().await.unwrap();
        assert!(events_of(response).await.1);
    }
    assert_eq!(simulator.traffic().open_connections(), 1);
}

#[tokio::test]
async fn stopping_breaks_off_what_hangs_and_closes_the_port() {
    let simulator = Simulator::start().await.unwrap();
    let address = simulator.address();
    simulator.script("hang", Fault::Hang);
    simulator.script("silent", Fault::Silence { after: 1 });
    let silent = stream(&simulator, Api::OpenAi, "silent").await;
    let client = http();
    let hanging = tokio::spawn(request(&client, &simulator, Api::OpenAi, &body("hang", false)).send());
    simulator.wait_until(|seen| seen.in_flight() == 2).await;
    simulator.stop().await;
    assert!(!events_of(silent).await.1);
    assert!(hanging.await.unwrap().is_err());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn stopping_lets_other_calls_finish() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Behaviour::ok().gap(Duration::from_millis(1)).words(20));
    let mut response = stream(&simulator, Api::OpenAi, "m").await;
    read_events(&mut response, 1).await;
    let reading = tokio::spawn(events_of(response));
    simulator.stop().await;
    assert!(reading.await.unwrap().1);
}

#[tokio::test]
async fn a_dropped_simulator_leaves_no_connection() {
    let simulator = Simulator::start().await.unwrap();
    simulator.script("m", Fault::Silence { after: 1 });
    let mut response = stream(&simulator, Api::OpenAi, "m").await;
    read_events(&mut response, 1).await;
    drop(simulator);
    assert!(!events_of(response).await.1);
}
