{{- define "sentiment.name" -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "sentiment.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: service
{{- end -}}

{{- define "sentiment.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "sentiment.image" -}}
{{- $image := index . 0 -}}
{{- $chart := index . 1 -}}
{{ $image.repository }}{{ if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default $chart.AppVersion }}{{ end }}
{{- end -}}

{{- define "sentiment.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "sentiment.containerSecurity" -}}
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The container that serves; the same in a Deployment and under KServe. */}}
{{- define "sentiment.container" -}}
image: {{ include "sentiment.image" (list .Values.image .Chart) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
ports:
  - {name: http, containerPort: 3000, protocol: TCP}
env:
  {{- range $name, $value := .Values.settings }}
  - {name: SENTIMENT_{{ upper $name }}, value: {{ toString $value | quote }}}
  {{- end }}
  {{- if .Values.model.path }}
  - {name: SENTIMENT_MODEL, value: {{ printf "/models/%s" .Values.model.path | quote }}}
  {{- end }}
  {{- if .Values.apiKeysSecret }}
  - name: SENTIMENT_API_KEYS
    valueFrom: {secretKeyRef: {name: {{ .Values.apiKeysSecret }}, key: api-keys}}
  {{- end }}
startupProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 1
livenessProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
resources: {{- toYaml .Values.resources | nindent 2 }}
securityContext: {{- include "sentiment.containerSecurity" . | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- if .Values.model.path }}
  - {name: models, mountPath: /models, readOnly: true}
  {{- end }}
{{- end -}}

{{- define "sentiment.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- if .Values.model.path }}
- name: models
  {{- .Values.model.volume | default nil | required "model.path needs model.volume, the volume that has it" | toYaml | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The pod of a job: its name, the setting it comes from, arguments, restart policy and further resources. A pod of a
     Ray cluster (`ray`) has no arguments: KubeRay starts Ray in it. */}}
{{- define "sentiment.jobPod" -}}
{{- $root := .root -}}
{{- $jobs := $root.Values.jobs -}}
automountServiceAccountToken: false
serviceAccountName: {{ include "sentiment.name" $root }}
terminationGracePeriodSeconds: {{ $jobs.terminationGracePeriodSeconds }}
restartPolicy: {{ .restartPolicy }}
securityContext: {{- include "sentiment.podSecurity" $root | nindent 2 }}
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: {{ .name }}
    image: {{ include "sentiment.image" (list $jobs.image $root.Chart) }}
    imagePullPolicy: {{ $jobs.image.pullPolicy }}
    workingDir: /work
    {{- if not .ray }}
    command: [python, -m]
    args: {{- .arguments | default nil | required (printf "%s needs arguments" .setting) | toYaml | nindent 6 }}
    {{- end }}
    env:
      - {name: HOME, value: /tmp}
      - {name: PYTHONPATH, value: /srv/sentiment} # where the service's image has the project
    resources: {{- mergeOverwrite (deepCopy $jobs.resources) (.resources | default dict) | toYaml | nindent 6 }}
    securityContext: {{- include "sentiment.containerSecurity" $root | nindent 6 }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      - {name: shm, mountPath: /dev/shm}
      - {name: work, mountPath: /work}
volumes:
  - name: tmp
    emptyDir: {}
  - name: shm
    emptyDir: {medium: Memory, sizeLimit: 1Gi}
  - name: work
    {{- $jobs.volume | default nil | required (printf "%s needs jobs.volume, which has the data" .setting) | toYaml | nindent 4 }}
{{- with $root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
