package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// A block is one line of 4,096 bytes: CRC-32C in eight hex digits, a space,
// JSON, spaces, a newline. A segment begins with one, and head is two.
const blockSize = 4096

const crcDigits = 8

// edgeHashes is the right edge of a tree in JSON.
type edgeHashes []tlog.Hash

func makeBlock(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(text) > blockSize-crcDigits-2 {
		return nil, fmt.Errorf("a block of %d bytes", len(text))
	}
	b := bytes.Repeat([]byte(" "), blockSize)
	copy(b[crcDigits+1:], text)
	b[blockSize-1] = '\n'
	sum := checksum(b[crcDigits:])
	hex.Encode(b, []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	return b, nil
}

var errBlock = errors.New("checksum mismatch")

func readBlock(b []byte, v any) error {
	if len(b) != blockSize {
		return fmt.Errorf("it has %d bytes, fewer than the %d of its first line", len(b), blockSize)
	}
	var sum [4]byte
	want := checksum(b[crcDigits:])
	if _, err := hex.Decode(sum[:], b[:crcDigits]); err != nil || sum != [4]byte{byte(want >> 24), byte(want >> 16), byte(want >> 8), byte(want)} {
		return errBlock
	}
	return json.Unmarshal(b[crcDigits:], v)
}
