-- Degraded when it cannot be used as written, or when the API server does not hold what it should. What it names may come with the same
-- sync, and a probe that could not be tried is tried again: Progressing.
local status = obj.status
if status == nil or status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "not looked at yet"}
end
local of = {}
for _, condition in ipairs(status.conditions or {}) do
  of[condition.type] = condition
end
local ready, enforced = of.Ready, of.Enforced
if ready == nil or enforced == nil then
  return {status = "Progressing", message = "not looked at yet"}
end
if ready.status ~= "True" then
  local coming = {CheckNotFound = true, PredecessorInvalid = true}
  return {status = coming[ready.reason] and "Progressing" or "Degraded", message = ready.reason .. ": " .. ready.message}
end
local shown = "Degraded"
if enforced.status == "True" or enforced.reason == "ObserveOnly" then
  shown = "Healthy"
elseif enforced.status == "Unknown" then
  shown = "Progressing"
end
return {status = shown, message = enforced.reason .. ": " .. enforced.message}
