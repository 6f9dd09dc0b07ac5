// Package examples tests the files in the folder examples of the repository that container
// runtimes read.
package examples
