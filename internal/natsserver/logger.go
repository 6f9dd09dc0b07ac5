package natsserver

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
)

// Level says how serious a line of the server's log is.
type Level int

// Levels, from the least serious on.
const (
	Notice Level = iota
	Warning
	Error
)

// logger passes on what the server logs, and keeps what it ends a process for.
type logger struct {
	to func(Level, string)

	mu    sync.Mutex
	fatal error
	last  string // error
}

// criticalWrite is what the server logs when it stops writing to a stream. No call of it tells of
// that for a stream with one replica.
const criticalWrite = "critical write error"

// Noticef implements server.Logger.
func (l *logger) Noticef(format string, v ...any) { l.line(Notice, format, v) }

// Warnf implements server.Logger.
func (l *logger) Warnf(format string, v ...any) { l.line(Warning, format, v) }

// Errorf implements server.Logger.
func (l *logger) Errorf(format string, v ...any) { l.line(Error, format, v) }

// Debugf implements server.Logger.
func (l *logger) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (l *logger) Tracef(string, ...any) {}

// Fatalf implements server.Logger: where nats-server's own logger ends the process, this one keeps
// the error, and the server returns from its start.
func (l *logger) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal != nil {
		return
	}
	l.fatal = errors.New("start server: " + fmt.Sprintf(format, v...))
	for _, arg := range v {
		if cause := (*net.OpError)(nil); errors.As(asError(arg), &cause) { // says all that the line does
			l.fatal = fmt.Errorf("start server: %w", cause)
		}
	}
}

func asError(v any) error {
	err, _ := v.(error)
	return err
}

func (l *logger) line(level Level, format string, v []any) {
	text := fmt.Sprintf(format, v...)
	if level == Error {
		l.mu.Lock()
		l.last = text
		if l.fatal == nil && strings.Contains(strings.ToLower(text), criticalWrite) {
			l.fatal = fmt.Errorf("%w: %s", ErrStore, text)
		}
		l.mu.Unlock()
	}
	if l.to != nil {
		l.to(level, text)
	}
}

func (l *logger) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

func (l *logger) lastError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == "" {
		return "it does not say why"
	}
	return l.last
}
