// Command gitops judges objects as Argo CD and Flux do, by their own code: Argo CD's health checks in Lua and its three-way
// diff, Flux's health check expressions in CEL, and kstatus, which Flux and Helm use where there are none.
//
//	gitops health   reads {"configMap": {…}, "healthCheckExprs": […], "objects": […]}; writes one judgement an object
//	gitops diff     reads {"desired": {…}, "live": {…}}; writes whether Argo CD shows a difference, and which
//
// It speaks to no cluster.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/argo/normalizers"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"
	"github.com/argoproj/gitops-engine/pkg/diff"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"
)

func main() {
	verb := ""
	if len(os.Args) == 2 {
		verb = os.Args[1]
	}
	if err := run(verb); err != nil {
		fmt.Fprintf(os.Stderr, "gitops: %v\n", err)
		os.Exit(1)
	}
}

func run(verb string) error {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var answer any
	switch verb {
	case "health":
		answer, err = judgeAll(input)
	case "diff":
		answer, err = compare(input)
	default:
		err = fmt.Errorf("usage: gitops health|diff")
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

type question struct {
	ConfigMap corev1.ConfigMap              `json:"configMap"`
	Checks    []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
	Objects   []map[string]any              `json:"objects"`
}

type said struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	Error   string `json:"error,omitempty"`
}

type judgement struct {
	ArgoCD  said `json:"argocd"`
	Flux    said `json:"flux"`
	Kstatus said `json:"kstatus"`
}

func judgeAll(input []byte) ([]judgement, error) {
	var asked question
	if err := json.Unmarshal(input, &asked); err != nil {
		return nil, err
	}
	overrides, err := overrides(&asked.ConfigMap)
	if err != nil {
		return nil, fmt.Errorf("argocd-cm: %w", err)
	}
	flux := map[string]*cel.StatusEvaluator{}
	for _, check := range asked.Checks {
		evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
		if err != nil {
			return nil, fmt.Errorf("healthCheckExprs of %s: %w", check.Kind, err)
		}
		flux[check.APIVersion+" "+check.Kind] = evaluator
	}
	judged := []judgement{}
	for _, content := range asked.Objects {
		object, err := object(content)
		if err != nil {
			return nil, err
		}
		alone := byKstatus(object)
		// Flux asks kstatus where it has no expressions.
		by := alone
		if evaluator, ok := flux[object.GetAPIVersion()+" "+object.GetKind()]; ok {
			by = result(evaluator.Evaluate(context.Background(), object))
		}
		judged = append(judged, judgement{ArgoCD: byArgoCD(object, overrides), Flux: by, Kstatus: alone})
	}
	return judged, nil
}

// object takes numbers as the API server's clients do, which makes whole ones of them.
func object(content map[string]any) (*unstructured.Unstructured, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	object := &unstructured.Unstructured{}
	return object, object.UnmarshalJSON(text)
}

// overrides reads the ConfigMap by Argo CD's own settings.
func overrides(configMap *corev1.ConfigMap) (map[string]v1alpha1.ResourceOverride, error) {
	const namespace = "argocd"
	configMap.Namespace = namespace
	configMap.Labels = map[string]string{"app.kubernetes.io/part-of": "argocd"}
	secret := &corev1.Secret{}
	secret.Name, secret.Namespace = "argocd-secret", namespace
	secret.Labels = configMap.Labels
	client := fake.NewClientset(configMap, secret)
	return settings.NewSettingsManager(context.Background(), client, namespace).GetResourceOverrides()
}

func byArgoCD(object *unstructured.Unstructured, overrides map[string]v1alpha1.ResourceOverride) said {
	found, err := health.GetResourceHealth(object, lua.ResourceHealthOverrides(overrides))
	switch {
	case err != nil:
		return said{Error: err.Error()}
	case found == nil:
		return said{}
	}
	return said{Status: string(found.Status), Message: found.Message}
}

func byKstatus(object *unstructured.Unstructured) said {
	return result(status.Compute(object))
}

func result(result *status.Result, err error) said {
	if err != nil {
		return said{Error: err.Error()}
	}
	return said{Status: result.Status.String(), Message: result.Message}
}

type pair struct {
	Desired map[string]any `json:"desired"`
	Live    map[string]any `json:"live"`
}

type difference struct {
	Modified  bool            `json:"modified"`
	Live      json.RawMessage `json:"live"`
	Predicted json.RawMessage `json:"predicted"`
}

// compare is the diff of an Application without diff options: three ways where the live object remembers what was applied
// last, else two.
func compare(input []byte) (*difference, error) {
	var asked pair
	if err := json.Unmarshal(input, &asked); err != nil {
		return nil, err
	}
	desired, err := object(asked.Desired)
	if err != nil {
		return nil, err
	}
	live, err := object(asked.Live)
	if err != nil {
		return nil, err
	}
	known, err := normalizers.NewKnownTypesNormalizer(nil)
	if err != nil {
		return nil, err
	}
	found, err := diff.Diff(desired, live, diff.WithNormalizer(known))
	if err != nil {
		return nil, err
	}
	return &difference{Modified: found.Modified, Live: found.NormalizedLive, Predicted: found.PredictedLive}, nil
}
