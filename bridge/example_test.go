package bridge_test

import (
	"context"
	"log"
	"os/signal"
	"syscall"

	"github.com/nats-io/nats.go"

	"sluice/bridge"
)

// Here, where the producer of the ring "orders" is. On the other machine the same program calls
// bridge.In with InOptions.
func ExampleOut() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	nc, err := nats.Connect("nats://nats.example.com", append(bridge.ConnectOptions("orders"), nats.UserCredentials("bridge.creds"))...)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	opt := bridge.OutOptions{Stream: "ORDERS", MaxBytes: 10 << 30, Replicas: 3, Follow: true}
	opt.OnNote = func(text string) { log.Print(text) }
	if err := bridge.Out(ctx, nc, "orders", opt); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}
