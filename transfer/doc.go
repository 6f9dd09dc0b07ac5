// Package transfer moves messages to another process by giving it the memory that
// they are in: soft back-pressure. A message is made in a buffer, the buffer is
// sealed and its descriptor passed over a Unix socket. The producer never waits;
// what the consumer has not taken is in flight, and takes memory, up to a limit.
//
//	producer                                   consumer
//	Reserve Commit Publish -> courier ~~~~~~~> Next Next Release
//	   never waits         queue, socket        reads, lets go
//	        \______________ one header page __________/
//
// The header page in /dev/shm is that of a ring, with the same counters, so that
// one observer reads both. docs/transfer.md has the protocol.
package transfer
