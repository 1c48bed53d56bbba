// Command gitops judges objects as Argo CD and Flux do, by their own code: Argo CD's health checks in Lua and its three-way
// diff, Flux's health check expressions in CEL, and kstatus, which Flux and Helm use where there are none. And it applies objects by
// the engines of both.
//
//	gitops health   reads {"configMap": {…}, "healthCheckExprs": […], "objects": […]}; writes one judgement an object
//	gitops strict   reads {"objects": […], "kinds": […]}; writes for each of their own kinds what is wrong with it, and for an
//	                AppProject, which of our kinds it lets an Application have
//	gitops diff     reads [{"desired": {…}, "live": {…}}]; writes of each whether Argo CD shows a difference, and which
//	gitops act      reads {"configMap": {…}, "object": {…}, "action": "…"}; writes what Argo CD would request for that button
//	gitops sync     does one step of an Application's sync operation, and writes the operation
//	gitops flux     applies, prunes and awaits a Kustomization, and writes what came of it
//
// The last two talk to the cluster of the kubeconfig that they are given, see applied; the others to none.
package main

import (
	"bytes"
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
	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
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
	case "strict":
		answer, err = readAll(input)
	case "diff":
		answer, err = compareAll(input)
	case "act":
		answer, err = press(input)
	case "sync":
		answer, err = syncOnce(input)
	case "flux":
		answer, err = reconcile(input)
	default:
		err = fmt.Errorf("usage: gitops health|strict|diff|act|sync|flux")
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

type manifests struct {
	Objects []json.RawMessage `json:"objects"`
	Kinds   []string          `json:"kinds"`
}

type read struct {
	Name    string          `json:"name"`
	Error   string          `json:"error,omitempty"`
	Permits map[string]bool `json:"permits,omitempty"`
}

// readAll takes objects as their own types, and no field that these do not have.
func readAll(input []byte) ([]read, error) {
	var asked manifests
	if err := json.Unmarshal(input, &asked); err != nil {
		return nil, err
	}
	answers := []read{}
	for _, text := range asked.Objects {
		var of metav1.PartialObjectMetadata
		if err := json.Unmarshal(text, &of); err != nil {
			return nil, err
		}
		answer := read{Name: of.Kind + "/" + of.Name}
		typed := types()[of.APIVersion+" "+of.Kind]
		if typed == nil {
			return nil, fmt.Errorf("%s is not of a kind of Argo CD or Flux", answer.Name)
		}
		strict := json.NewDecoder(bytes.NewReader(text))
		strict.DisallowUnknownFields()
		if err := strict.Decode(typed); err != nil {
			answer.Error = err.Error()
		} else if err := sensible(typed); err != nil {
			answer.Error = err.Error()
		}
		if project, ok := typed.(*v1alpha1.AppProject); ok {
			answer.Permits = map[string]bool{}
			for _, kind := range asked.Kinds {
				namespaced := kind != "Environment" && kind != "Check"
				of := schema.GroupKind{Group: "vouchsafe.dev", Kind: kind}
				answer.Permits[kind] = project.IsGroupKindPermitted(of, namespaced)
			}
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

func types() map[string]any {
	return map[string]any{
		"argoproj.io/v1alpha1 AppProject":              &v1alpha1.AppProject{},
		"argoproj.io/v1alpha1 Application":             &v1alpha1.Application{},
		"kustomize.toolkit.fluxcd.io/v1 Kustomization": &kustomizev1.Kustomization{},
		"source.toolkit.fluxcd.io/v1 GitRepository":    &sourcev1.GitRepository{},
		"helm.toolkit.fluxcd.io/v2 HelmRelease":        &helmv2.HelmRelease{},
	}
}

// sensible asks what their own code asks beyond fields.
func sensible(typed any) error {
	switch object := typed.(type) {
	case *v1alpha1.AppProject:
		return object.ValidateProject()
	case *v1alpha1.Application:
		if object.Spec.Source == nil || object.Spec.Source.RepoURL == "" || object.Spec.Project == "" {
			return fmt.Errorf("no source or no project")
		}
	case *kustomizev1.Kustomization:
		for _, check := range object.Spec.HealthCheckExprs {
			if _, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions); err != nil {
				return fmt.Errorf("%s: %w", check.Kind, err)
			}
		}
	}
	return nil
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

// compareAll is the diff of an Application without diff options: three ways where the live object remembers what was applied
// last, else two.
func compareAll(input []byte) ([]difference, error) {
	var asked []pair
	if err := json.Unmarshal(input, &asked); err != nil {
		return nil, err
	}
	known, err := normalizers.NewKnownTypesNormalizer(nil)
	if err != nil {
		return nil, err
	}
	differences := []difference{}
	for _, pair := range asked {
		desired, err := object(pair.Desired)
		if err != nil {
			return nil, err
		}
		live, err := object(pair.Live)
		if err != nil {
			return nil, err
		}
		found, err := diff.Diff(desired, live, diff.WithNormalizer(known))
		if err != nil {
			return nil, err
		}
		differences = append(differences, difference{found.Modified, found.NormalizedLive, found.PredictedLive})
	}
	return differences, nil
}
