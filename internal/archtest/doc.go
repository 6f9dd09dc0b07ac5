// Package archtest has no code: its tests hold the whole repository to what the
// layout of its folders promises.
package archtest
