// Command node is what a real node runs besides the container runtime: the real kubelet and
// kube-proxy, built from the public Go modules as one multi-call binary.
//
//	node kubelet|kube-proxy [flags]
//
// It is also called by a link named like one of these.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	name := filepath.Base(os.Args[0])
	if name == "node" {
		if len(os.Args) < 2 {
			usage("name the program to be")
		}
		name = os.Args[1]
		os.Args = append([]string{name}, os.Args[2:]...)
	}
	switch name {
	case "kubelet":
		run(kubelet.NewKubeletCommand(context.Background()))
	case "kube-proxy":
		run(proxy.NewProxyCommand())
	default:
		usage("no program named " + name)
	}
}

func run(command *cobra.Command) { os.Exit(cli.Run(command)) }

func usage(problem string) {
	fmt.Fprintf(os.Stderr, "node: %s\nusage: node kubelet|kube-proxy [flags]\n", problem)
	os.Exit(2)
}
