// Package endpoint is what the two ends of both modes share: how the holder of a role
// records its state in the header of a segment, and how that is read back. It covers who
// holds the role and how it left (role.go), how long it was blocked (blocked.go), how far it
// has published (cursor.go), how a stream has ended (end.go), which messages are timed and how
// their times are counted (samplewriter.go, samplereader.go, times.go), and the account of an
// open-loop load (schedule.go).
//
// Package layout says where the fields lie; the order of the stores and loads here is what
// keeps them consistent when a process is killed between any two of them. Functions for the
// holder of a role are for one goroutine at a time. Functions that only read may be called
// by anybody who has the header mapped, at any time: [Published], [Offered], [BlockedAt], [Died],
// [EndUnreported], [UntoldEnd], [EndPending], [UnreportedIncomplete], [LostUnreported] and
// [CarryOver].
package endpoint
