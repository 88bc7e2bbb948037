-- Act for a company until the transaction ends: policies read the setting, and partitions are for its role alone.
-- in: company_id, role
-- out: both
SELECT set_config('arcana.company_id', %(company_id)s, true), set_config('role', %(role)s, true)
