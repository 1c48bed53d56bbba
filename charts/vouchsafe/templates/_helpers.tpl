{{- define "vouchsafe.labels" -}}
{{ include "vouchsafe.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
{{- /* By which the operator's pods are found. */ -}}
{{- define "vouchsafe.selector" -}}
app.kubernetes.io/name: vouchsafe
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- /* How the API server calls the operator. */ -}}
{{- define "vouchsafe.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ .Values.serviceAccount.name }}
{{- end }}
{{- /* Ports that the operator may speak to, of API server and registries, as a list in JSON. */ -}}
{{- define "vouchsafe.ports" -}}
{{- $ports := concat .Values.networkPolicy.apiServerPorts .Values.networkPolicy.registryPorts }}
{{- $registries := concat .Values.registries.private .Values.registries.plainHttp }}
{{- range .Values.registries.certificates }}
{{- $registries = append $registries .registry }}
{{- end }}
{{- range $registries }}
{{- with regexFind ":[0-9]+$" . }}
{{- $ports = append $ports (atoi (trimPrefix ":" .)) }}
{{- end }}
{{- end }}
{{- $known := dict }}
{{- range $ports }}
{{- $_ := set $known (printf "%05d" (int .)) (int .) }}
{{- end }}
{{- $unique := list }}
{{- range $key := keys $known | sortAlpha }}
{{- $unique = append $unique (get $known $key) }}
{{- end }}
{{- $unique | toJson }}
{{- end }}
{{- /* The port of the collector of traces. */ -}}
{{- define "vouchsafe.collectorPort" -}}
{{- $endpoint := .Values.tracing.endpoint }}
{{- $place := $endpoint | trimPrefix "https://" | trimPrefix "http://" | splitList "/" | first }}
{{- with regexFind ":[0-9]+$" $place }}{{ trimPrefix ":" . }}{{ else }}{{ hasPrefix "https://" $endpoint | ternary 443 80 }}{{ end }}
{{- end }}
{{- /* Whether anything of the configuration is mounted. */ -}}
{{- define "vouchsafe.mounts" -}}
{{- if or .Values.registries.certificates .Values.registries.credentialsSecret .Values.tracing.certificatesConfigMap }}true{{ end }}
{{- end }}
{{- /* The version in which the mutating policies are served; nothing where none is, and a webhook holds. Who renders without a cluster says
nothing about kinds, and gets what such a version serves by default. */ -}}
{{- define "vouchsafe.mutating" -}}
{{- $group := "admissionregistration.k8s.io" }}
{{- $served := .Capabilities.APIVersions }}
{{- if $served.Has (printf "%s/v1/MutatingAdmissionPolicy" $group) }}{{ $group }}/v1
{{- else if $served.Has (printf "%s/v1beta1/MutatingAdmissionPolicy" $group) }}{{ $group }}/v1beta1
{{- else if and (not ($served.Has "v1/Pod")) (semverCompare ">= 1.36.0-0" .Capabilities.KubeVersion.Version) }}{{ $group }}/v1
{{- end }}
{{- end }}
{{- /* Where the API server asks the webhook, as a field of `clientConfig`. */ -}}
{{- define "vouchsafe.asked" -}}
{{- $root := index . 0 }}
{{- $path := index . 1 }}
{{- with $root.Values.webhook.url }}url: {{ printf "%s%s" (trimSuffix "/" .) $path | quote }}
{{- else }}service: {namespace: {{ $root.Release.Namespace }}, name: vouchsafe-webhook, path: {{ $path }}}
{{- end }}
{{- end }}
{{- /* The name or address in the webhook's certificate. */ -}}
{{- define "vouchsafe.webhookHost" -}}
{{- if .Values.webhook.url }}{{ .Values.webhook.url | trimPrefix "https://" | splitList "/" | first | mustRegexFind "^(\\[[^]]*\\]|[^:]*)" | trimAll "[]" }}
{{- else }}vouchsafe-webhook.{{ .Release.Namespace }}.svc
{{- end }}
{{- end }}
