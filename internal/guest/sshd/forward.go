package sshd

import (
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// forward connects a client's channel to an address that the instance reaches.
func (l *login) forward(nc ssh.NewChannel) {
	var msg struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if ssh.Unmarshal(nc.ExtraData(), &msg) != nil || l.restricted("port-forwarding") {
		nc.Reject(ssh.Prohibited, "administratively prohibited")
		return
	}
	target, err := net.DialTimeout("tcp", net.JoinHostPort(msg.Host, strconv.Itoa(int(msg.Port))), 30*time.Second)
	if err != nil {
		nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer target.Close()
	ch, requests, err := nc.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	go ssh.DiscardRequests(requests)
	var both sync.WaitGroup
	both.Go(func() {
		io.Copy(target, ch)
		if t, ok := target.(*net.TCPConn); ok {
			t.CloseWrite()
		}
	})
	both.Go(func() {
		io.Copy(ch, target)
		ch.CloseWrite()
	})
	both.Wait()
}
