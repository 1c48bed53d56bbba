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
{{- /* Whether anything of the configuration is mounted. */ -}}
{{- define "vouchsafe.mounts" -}}
{{- if or .Values.registries.certificates .Values.registries.credentialsSecret }}true{{ end }}
{{- end }}
