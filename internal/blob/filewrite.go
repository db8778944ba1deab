package blob

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// buffersInFlight is how many buffers of a write are read, written or hashed at
	// the same time: what a write holds in memory, whatever its size.
	buffersInFlight = 3
	// flushEvery is after how many bytes the kernel is asked to begin writing, so that
	// the sync at the end finds little to do.
	flushEvery = 4 << 20
)

// write makes the file at path of r, synced, and returns its sum. One goroutine reads
// and writes while another hashes: together they take as long as the slower.
func (f *Files) write(path string, r io.Reader, sums []Algorithm) (Info, uint32, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return Info{}, 0, fmt.Errorf("write blob: %w", err)
	}
	defer file.Close()
	h, own := newSumming(sums), crc32.New(castagnoli)
	free, full := make(chan []byte, buffersInFlight), make(chan []byte, buffersInFlight)
	for range buffersInFlight {
		b := f.buffers.Get().(*[]byte)
		defer f.buffers.Put(b)
		free <- *b
	}
	hashed := make(chan struct{})
	go func() {
		defer close(hashed)
		for b := range full {
			_, _ = own.Write(b)
			_, _ = h.Write(b)
			free <- b[:cap(b)]
		}
	}()
	size, err := pump(file, r, free, full)
	close(full)
	<-hashed
	if err != nil {
		return Info{}, 0, err
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return Info{}, 0, fmt.Errorf("write blob: %w", err)
	}
	return Info{Size: size, Sums: h.sums()}, own.Sum32(), nil
}

// pump copies r to the file and passes each buffer on.
func pump(file *os.File, r io.Reader, free <-chan []byte, full chan<- []byte) (int64, error) {
	var size, flushed int64
	for {
		b := <-free
		n, err := io.ReadFull(r, b)
		if err != nil && !endOf(n, err) {
			return size, err
		}
		if _, err := file.Write(b[:n]); err != nil {
			return size, fmt.Errorf("write blob: %w", err)
		}
		size += int64(n)
		full <- b[:n]
		if err != nil {
			return size, nil
		}
		if size-flushed >= flushEvery {
			// It promises nothing, so it may fail; the sync may not.
			_ = unix.SyncFileRange(int(file.Fd()), flushed, size-flushed, unix.SYNC_FILE_RANGE_WRITE)
			flushed = size
		}
	}
}
