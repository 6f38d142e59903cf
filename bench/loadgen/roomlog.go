package main

// What the generator knows of Roomlog's WebSocket: the token in a header, join-room,
// send-message with a ref, its answer, receive-message. Answers and frames are told
// apart by how they begin, because parsing every frame would cost more than serving it.

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"
)

var (
	deliveryPrefix = []byte(`{"event":"receive-message"`)
	answerPrefix   = []byte(`{"ref":`)
	errorKey       = []byte(`"error":`)
)

// The first ref of a socket is that of its join-room; sequence numbers of messages begin behind it.
const joinRef = 1

func userID(c *Conn) string { return *flagUsers + strconv.Itoa(c.idx) }

// token makes an HS256 token as the server's own tools do.
func token(user string) string {
	e := base64.RawURLEncoding
	h := e.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))
	p := e.EncodeToString([]byte(fmt.Sprintf(`{"sub":"%s","username":"%s","exp":%d}`, user, user, time.Now().Add(24*time.Hour).Unix())))
	m := hmac.New(sha256.New, []byte(*flagSecret))
	m.Write([]byte(h + "." + p))
	return h + "." + p + "." + e.EncodeToString(m.Sum(nil))
}

func upgrade(c *Conn) (path, headers string) {
	return "/", "Authorization: Bearer " + token(userID(c)) + "\r\n"
}

func onOpen(c *Conn) {
	after := ""
	if c.version > 0 {
		after = `,"after":` + strconv.FormatInt(c.version, 10)
	}
	c.text(`{"event":"join-room","data":{"roomId":"` + c.room + `"` + after + `},"ref":` + strconv.Itoa(joinRef) + `}`)
}

func send(c *Conn, id int64, msg []byte) {
	c.text(`{"event":"send-message","data":{"roomId":"` + c.room + `","message":"` + string(msg) + `"},"ref":` + strconv.FormatInt(id, 10) + `}`)
}

func onMessage(c *Conn, p []byte, now int64) {
	switch {
	case bytes.HasPrefix(p, deliveryPrefix):
		onDeliver(c, p, now)
	case bytes.HasPrefix(p, answerPrefix):
		rest := p[len(answerPrefix):]
		id, n := leadingInt(rest)
		// Only the beginning is looked at: a message may hold the word itself.
		ok := !bytes.HasPrefix(rest[min(n+1, len(rest)):], errorKey)
		if !ok {
			refused(c, p)
		}
		if id == joinRef {
			if ok {
				onReady(c)
			}
			return
		}
		onAck(c, now, ok)
	}
}

func leadingInt(p []byte) (value int64, length int) {
	for length < len(p) && p[length] >= '0' && p[length] <= '9' {
		value = value*10 + int64(p[length]-'0')
		length++
	}
	return value, length
}

func refused(c *Conn, p []byte) {
	if refusals.Add(1) <= 3 {
		logf("conn %d was refused: %s", c.idx, p[:min(len(p), 200)])
	}
}
