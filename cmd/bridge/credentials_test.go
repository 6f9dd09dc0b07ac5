package main_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"sluice/internal/testenv"
)

// newKey returns a key of a kind, and its public part.
func newKey(t *testing.T, create func() (nkeys.KeyPair, error)) (key nkeys.KeyPair, public string) {
	t.Helper()
	key, err := create()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = key.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return key, public
}

func seed(t *testing.T, key nkeys.KeyPair) []byte {
	t.Helper()
	s, err := key.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCredentials_Nkey(t *testing.T) {
	t.Parallel()
	key, public := newKey(t, nkeys.CreateUser)
	addr := serverWith(t, fmt.Sprintf("authorization { users: [{nkey: %s}] }", public))
	name := ring(t)
	other, _ := newKey(t, nkeys.CreateUser)
	wrong := testenv.WriteFile(t, seed(t, other))
	out(t, nil, "--nats", addr, "--nkey", wrong, name).WantError(1, "connect to nats://"+addr+": the server refuses the credentials", "those of --nkey "+wrong)
	account, _ := newKey(t, nkeys.CreateAccount)
	out(t, nil, "--nats", addr, "--nkey", testenv.WriteFile(t, seed(t, account)), name).WantError(1, "--nkey", "begins with SU")
	wantSent(t, out(t, nil, "--nats", addr, "--nkey", testenv.WriteFile(t, seed(t, key)), name))
}

// claims are what an operator has made: an account with JetStream, and users of it.
type claims struct {
	account nkeys.KeyPair
	config  string // of the server
}

func newClaims(t *testing.T) claims {
	t.Helper()
	operator, operatorID := newKey(t, nkeys.CreateOperator)
	account, accountID := newKey(t, nkeys.CreateAccount)
	_, systemID := newKey(t, nkeys.CreateAccount)
	o := jwt.NewOperatorClaims(operatorID)
	o.SystemAccount = systemID
	a := jwt.NewAccountClaims(accountID)
	a.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit, Consumer: jwt.NoLimit}
	return claims{account, fmt.Sprintf("operator: %s\nresolver: MEMORY\nresolver_preload: { %s: %s, %s: %s }\n",
		encode(t, o, operator), accountID, encode(t, a, operator), systemID, encode(t, jwt.NewAccountClaims(systemID), operator))}
}

func encode(t *testing.T, c jwt.Claims, by nkeys.KeyPair) string {
	t.Helper()
	text, err := c.Encode(by)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// creds writes the credentials of a new user, which are valid for a time.
func (c *claims) creds(t *testing.T, valid time.Duration) (path string) {
	t.Helper()
	user, userID := newKey(t, nkeys.CreateUser)
	u := jwt.NewUserClaims(userID)
	u.Expires = time.Now().Add(valid).Unix()
	text, err := jwt.FormatUserConfig(encode(t, u, c.account), seed(t, user))
	if err != nil {
		t.Fatal(err)
	}
	return testenv.WriteFile(t, text)
}

func TestCredentials_File(t *testing.T) {
	t.Parallel()
	c := newClaims(t)
	addr := serverWith(t, c.config)
	name := ring(t)
	out(t, nil, "--nats", addr, name).WantError(1, "the server refuses the credentials", "--creds")
	others := newClaims(t)
	out(t, nil, "--nats", addr, "--creds", others.creds(t, time.Hour), name).WantError(1, "the server refuses the credentials", "those of --creds ")
	out(t, nil, "--nats", addr, "--creds", c.creds(t, -time.Hour), name).WantError(1, "connect to nats://"+addr)
	wantSent(t, out(t, []string{"SLUICE_CREDS=" + c.creds(t, time.Hour)}, "--nats", addr, name))
}

// Credentials that expire while they are used end the command, with what to do.
func TestCredentials_Expire_Ends(t *testing.T) {
	t.Parallel()
	c := newClaims(t)
	addr := serverWith(t, c.config)
	p := out(t, nil, "--nats", addr, "--creds", c.creds(t, 3*time.Second), "--follow", ring(t))
	p.EventuallyPrints("the stream is complete")
	p.WantError(1, "connect to nats://"+addr, "expired", "new credentials")
}
