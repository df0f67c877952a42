"""What each metric means, in a sentence for people. Knows no formula: that stands in `common/algebra/metrics.py`."""

from typing import Final

DEFINITIONS: Final = {
    "total_revenue": "What the customer was charged for all orders that were not cancelled.",
    "order_count": "How many orders the customer placed that were not cancelled.",
    "avg_order_value": "What an order of the customer was worth on average.",
    "first_order_date": "The day of the first order that was not cancelled.",
    "last_order_date": "The day of the last order that was not cancelled.",
    "days_since_last_order": "How many days ago the last order was.",
    "customer_lifetime_days": "The days from the first order to the last one, both included.",
    "estimated_clv": "The customer lifetime value: what two years of orders at the rate so far would bring.",
    "total_refunded": "What was paid back to the customer, whatever became of the orders.",
    "net_revenue": "What is left of the revenue after refunds.",
    "tickets_30d": "How many support tickets the customer opened lately.",
    "high_priority_tickets_30d": "How many support tickets of high or urgent priority the customer opened lately.",
    "open_tickets": "How many support tickets are not resolved.",
    "avg_resolution_hours": "How long it took on average to resolve a ticket.",
    "at_risk": "Whether the customer has had so much trouble lately that somebody should call.",
    "risk_reason": "Why the customer is at risk.",
    "email_opens_30d": "How many emails the customer opened lately.",
    "email_clicks_30d": "How many links in emails the customer clicked lately.",
    "campaign_views_30d": "How many campaigns the customer looked at lately.",
    "click_through_rate": "Clicks for each opened email, lately.",
    "last_engagement_date": "The last day on which the customer opened, clicked or viewed anything of marketing.",
    "revenue_90d": "What the customer was charged in the last three months, for models of recency.",
    "orders_90d": "How many orders the customer placed in the last three months, for models of recency.",
    "age_years": "How old the customer is, by the profile.",
    "tenure_days": "How long the customer has been signed up, by the profile.",
}
"""What each metric means, in a sentence, by its name. The API's catalogue and docs/metrics.md give the same one."""
