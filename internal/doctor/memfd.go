package doctor

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// sealing checks that a producer in transfer mode can prove that it has let go of a
// buffer.
func sealing(m *machine) Finding {
	noexec, err := m.seal()
	if err != nil {
		return problem("use --mode ring; or let the container's profile allow memfd_create and fcntl(F_ADD_SEALS) (Linux 3.17 or newer)",
			"no transfer mode: %v", err)
	}
	switch says := "buffers of transfer mode can be made and sealed"; {
	case !noexec:
		return fine("%s (without MFD_NOEXEC_SEAL, which is of Linux 6.3)", says)
	case m.read("/proc/sys/vm/memfd_noexec") == "2":
		return fine("%s; vm.memfd_noexec=2 does not mind, none is executable", says)
	default:
		return fine("%s", says)
	}
}

// makeSealed makes a buffer as a Sender does, and tries to change it after that.
// noexec tells that the kernel knows MFD_NOEXEC_SEAL.
func makeSealed() (noexec bool, err error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("sluice-doctor", flags|unix.MFD_NOEXEC_SEAL)
	noexec = err == nil
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate("sluice-doctor", flags)
	}
	if err != nil {
		return false, os.NewSyscallError("memfd_create", err)
	}
	defer unix.Close(fd)
	if _, err := unix.Pwrite(fd, []byte("message"), 0); err != nil {
		return false, os.NewSyscallError("pwrite", err)
	}
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return false, os.NewSyscallError("fcntl(F_ADD_SEALS)", err)
	}
	got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil {
		return false, os.NewSyscallError("fcntl(F_GET_SEALS)", err)
	}
	if _, err := unix.Pwrite(fd, []byte("changed"), 0); got&seals != seals || err != unix.EPERM {
		return false, errors.New("a sealed buffer can still be written to")
	}
	return noexec, nil
}
