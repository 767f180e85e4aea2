//! The receiver's side: TLS in front of a port without, as stunnel and load balancers are.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{CipherSuite, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use crate::authority::Identity;

/// Takes connections by TLS, and hands what comes on to another address.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    config: Arc<Mutex<Arc<ServerConfig>>>,
    /// Of each connection that came about.
    pub(crate) suites: Arc<Mutex<Vec<CipherSuite>>>,
    _runtime: Runtime,
}

impl Front {
    pub(crate) fn new(address: &str, behind: SocketAddr, config: Arc<ServerConfig>) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config = Arc::new(Mutex::new(config));
        let suites = Arc::new(Mutex::default());
        runtime.spawn(accept(listener, behind, config.clone(), suites.clone()));
        Self { address, config, suites, _runtime: runtime }
    }

    /// What the next connections are greeted with.
    pub(crate) fn set(&self, config: Arc<ServerConfig>) {
        *self.config.lock().unwrap() = config;
    }
}

async fn accept(
    listener: TcpListener,
    behind: SocketAddr,
    config: Arc<Mutex<Arc<ServerConfig>>>,
    suites: Arc<Mutex<Vec<CipherSuite>>>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    while let Ok((client, _)) = listener.accept().await {
        let config = config.lock().unwrap().clone();
        let suites = suites.clone();
        tokio::spawn(async move {
            let mut client = TlsAcceptor::from(config).accept(client).await?;
            suites.lock().unwrap().extend(client.get_ref().1.negotiated_cipher_suite().map(|suite| suite.suite()));
            let mut behind = TcpStream::connect(behind).await?;
            tokio::io::copy_bidirectional(&mut client, &mut behind).await
        });
    }
}

/// A receiver that shows `identity`, and wants a certificate by the authority `clients`, if given.
pub(crate) fn config(
    identity: &Identity,
    clients: Option<&str>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions).unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    Arc::new(builder.with_single_cert(vec![certificate], key).unwrap())
}

pub(crate) const EVERY: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
