// Package cpu gives hints to the processor that Go has no name for.
package cpu
