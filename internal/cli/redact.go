package cli

import "regexp"

// userinfo matches the user, password or token of a URL, as far as the last @ before a space.
var userinfo = regexp.MustCompile(`://[^\s"'/]+[^\s"']*@`)

// redact removes users, passwords and tokens from URLs in a message: an argument that is one may be
// quoted in an error.
func redact(text string) string { return userinfo.ReplaceAllString(text, "://xxxxx@") }
