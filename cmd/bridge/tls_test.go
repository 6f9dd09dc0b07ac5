package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"testing"
	"time"

	"sluice/internal/testenv"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	path string // of its certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key, a.path, _ = certificate(t, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: "sluice test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// issue makes a certificate for 127.0.0.1, of a server and of a client.
func (a *authority) issue(t *testing.T) (cert, key string) {
	t.Helper()
	_, _, cert, key = certificate(t, a, &x509.Certificate{
		Subject: pkix.Name{CommonName: "sluice test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return cert, key
}

// certificate makes one that the authority signs, or that signs itself, in files.
func certificate(t *testing.T, by *authority, template *x509.Certificate) (_ *x509.Certificate, _ *ecdsa.PrivateKey, certPath, keyPath string) {
	t.Helper()
	check := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<60))
	check(err)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if by == nil {
		by = &authority{cert: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	check(err)
	cert, err := x509.ParseCertificate(der)
	check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	check(err)
	certPath = testenv.WriteFile(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	keyPath = testenv.WriteFile(t, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	return cert, key, certPath, keyPath
}

func TestTLS_ServerVerified(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	cert, key := ca.issue(t)
	addr := serverWith(t, fmt.Sprintf("tls { cert_file: %q, key_file: %q }", cert, key))
	name := ring(t)
	out(t, nil, "--nats", addr, name).WantError(1, "connect to nats://"+addr, "certificate", "--tls-ca FILE")
	out(t, nil, "--nats", addr, "--tls-ca", other.path, name).WantError(1, "connect to nats://"+addr, "certificate", "--tls-ca FILE")
	wantSent(t, out(t, nil, "--nats", "tls://"+addr, "--tls-ca", ca.path, name))
}

func TestTLS_ClientVerified(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	cert, key := ca.issue(t)
	addr := serverWith(t, fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }", cert, key, ca.path))
	name := ring(t)
	out(t, nil, "--nats", addr, "--tls-ca", ca.path, name).WantError(1, "connect to nats://"+addr, "--tls-cert and --tls-key")
	foreign, foreignKey := other.issue(t)
	out(t, nil, "--nats", addr, "--tls-ca", ca.path, "--tls-cert", foreign, "--tls-key", foreignKey, name).WantError(1, "connect to nats://"+addr, "--tls-cert and --tls-key")
	own, ownKey := ca.issue(t)
	out(t, nil, "--nats", addr, "--tls-ca", ca.path, "--tls-cert", own, "--tls-key", foreignKey, name).WantError(1, "--tls-cert", "private key does not match")
	wantSent(t, out(t, nil, "--nats", addr, "--tls-ca", ca.path, "--tls-cert", own, "--tls-key", ownKey, name))
}

func TestTLS_ServerHasNone(t *testing.T) {
	t.Parallel()
	addr := serverWith(t, "")
	p := out(t, nil, "--nats", addr, "--tls-ca", newAuthority(t).path, ring(t))
	p.WantError(1, "connect to nats://"+addr+": the server has no TLS", "omit the flags of TLS")
}

func TestTLS_Context(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	cert, key := ca.issue(t)
	addr := serverWith(t, fmt.Sprintf("tls { cert_file: %q, key_file: %q }", cert, key))
	variable := writeContext(t, "far", map[string]string{"url": "tls://" + addr, "ca": ca.path})
	wantSent(t, out(t, []string{variable}, "--context", "far", ring(t)))
}
