// Command cluster is the control plane that the tests and the demo run against: the real
// etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubectl, built from the
// public Go modules as one multi-call binary, and an OCI registry that serves the referrers API.
//
//	cluster etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kubectl|registry [flags]
//
// It is also called by a link named like one of these.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func main() {
	name := filepath.Base(os.Args[0])
	if name == "cluster" {
		if len(os.Args) < 2 {
			usage("name the program to be")
		}
		name = os.Args[1]
		os.Args = append([]string{name}, os.Args[2:]...)
	}
	switch name {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		run(apiserver.NewAPIServerCommand())
	case "kube-controller-manager":
		run(controllers.NewControllerManagerCommand())
	case "kube-scheduler":
		run(scheduler.NewSchedulerCommand())
	case "kubectl":
		kubectl := kubectl.NewDefaultKubectlCommand()
		if err := cli.RunNoErrOutput(kubectl); err != nil {
			kubectlutil.CheckErr(err)
		}
	case "registry":
		serveRegistry()
	default:
		usage("no program named " + name)
	}
}

func run(command *cobra.Command) { os.Exit(cli.Run(command)) }

// serveRegistry keeps images in memory and answers the referrers API, which the stock registry
// does not. It listens on the address given as the only argument.
func serveRegistry() {
	if len(os.Args) != 2 {
		usage("registry takes one argument, the address to listen on")
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	handler := registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(os.Stderr, "", 0)))
	log.Fatal(http.Serve(listener, handler))
}

func usage(problem string) {
	fmt.Fprintf(os.Stderr, "cluster: %s\nusage: cluster etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kubectl|registry [flags]\n", problem)
	os.Exit(2)
}
