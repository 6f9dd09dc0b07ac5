package procinfo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// MemfdBytes returns the memory of the memfds of that name that processes of this pid namespace
// have open or mapped, each counted once: st_blocks, in bytes. Without the privilege to see what a
// process has mapped (CAP_CHECKPOINT_RESTORE) it counts those that are open.
//
// It looks at one descriptor after the other: while the processes run, it may count a file that is
// closed by the time another is made.
func MemfdBytes(name string, pids ...int) (n uint64) {
	seen := map[uint64]bool{}
	for _, pid := range pids {
		for _, dir := range []string{"fd", "map_files"} {
			files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/%s/*", pid, dir))
			for _, file := range files {
				var st unix.Stat_t
				if target, _ := os.Readlink(file); !strings.HasPrefix(target, "/memfd:"+name) || unix.Stat(file, &st) != nil || seen[st.Ino] {
					continue
				}
				seen[st.Ino] = true
				n += uint64(st.Blocks) * 512
			}
		}
	}
	return n
}
