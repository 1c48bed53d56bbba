-- Healthy as long as it is there: the operator writes it whole, and it has no status. What it lacks, Promotions say.
return {status = "Healthy", message = "the ledger of " .. obj.spec.environment}
