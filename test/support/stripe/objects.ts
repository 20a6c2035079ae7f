// Whole Stripe objects in the shape of API version 2026-10-28.endive, with every field the SDK's types ask for.
import Stripe from 'stripe';

/** What each object starts with. `created` is in seconds, as everywhere in Stripe. */
export interface Birth {
  readonly id: string;
  readonly created: number;
  readonly livemode: boolean;
}

export function list<T>(url: string, data: T[], hasMore = false): Stripe.ApiList<T> {
  return { object: 'list', data, has_more: hasMore, url };
}

export function product(
  birth: Birth,
  of: { name: string; active?: boolean; metadata?: Stripe.Metadata },
): Stripe.Product {
  return {
    ...birth,
    object: 'product',
    active: of.active ?? true,
    default_price: null,
    description: null,
    images: [],
    marketing_features: [],
    metadata: of.metadata ?? {},
    name: of.name,
    package_dimensions: null,
    shippable: null,
    statement_descriptor: null,
    tax_code: null,
    tax_details: null,
    type: 'service',
    unit_label: null,
    updated: birth.created,
    url: null,
  };
}

export function price(
  birth: Birth,
  of: {
    product: string;
    currency: string;
    unitMinor: number;
    taxBehavior: Stripe.Price.TaxBehavior | null;
    active?: boolean;
    metadata?: Stripe.Metadata;
  },
): Stripe.Price {
  return {
    ...birth,
    object: 'price',
    active: of.active ?? true,
    billing_scheme: 'per_unit',
    currency: of.currency,
    custom_unit_amount: null,
    lookup_key: null,
    metadata: of.metadata ?? {},
    nickname: null,
    product: of.product,
    recurring: null,
    tax_behavior: of.taxBehavior ?? 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: 'one_time',
    unit_amount: of.unitMinor,
    unit_amount_decimal: Stripe.Decimal.from(of.unitMinor),
  };
}

export function customer(
  birth: Birth,
  of: { email: string | null; name: string | null; metadata?: Stripe.Metadata },
): Stripe.Customer {
  return {
    ...birth,
    object: 'customer',
    address: null,
    balance: 0,
    currency: null,
    customer_account: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: of.email,
    invoice_settings: {
      custom_fields: null,
      default_payment_method: null,
      footer: null,
      rendering_options: null,
    },
    metadata: of.metadata ?? {},
    name: of.name,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: null,
  };
}

export function lineItem(
  id: string,
  of: { price: Stripe.Price; quantity: number; description: string },
): Stripe.LineItem {
  const subtotal = (of.price.unit_amount ?? 0) * of.quantity;
  return {
    id,
    object: 'item',
    adjustable_quantity: null,
    amount_discount: 0,
    amount_subtotal: subtotal,
    amount_tax: 0,
    amount_total: subtotal,
    currency: of.price.currency,
    description: of.description,
    metadata: {},
    price: of.price,
    quantity: of.quantity,
  };
}

export interface SessionWishes {
  readonly url: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly expiresAt: number;
  readonly successUrl: string;
  readonly cancelUrl: string | null;
  readonly clientReferenceId: string | null;
  readonly customer: string | null;
  readonly customerEmail: string | null;
  readonly customerCreation: Stripe.Checkout.Session.CustomerCreation | null;
  readonly automaticTax: boolean;
  readonly taxIdCollection: boolean;
  readonly invoice: { description: string | null; footer: string | null; metadata: Stripe.Metadata } | null;
  readonly locale: string | null;
  readonly metadata: Stripe.Metadata;
  readonly paymentMethodTypes: string[];
}

export function session(birth: Birth, of: SessionWishes): Stripe.Checkout.Session {
  return {
    ...birth,
    object: 'checkout.session',
    adaptive_pricing: { enabled: false },
    after_expiration: null,
    allow_promotion_codes: null,
    allowed_payment_method_types: null,
    amount_subtotal: of.amountMinor,
    amount_total: of.amountMinor,
    automatic_tax: {
      enabled: of.automaticTax,
      liability: of.automaticTax ? { type: 'self' } : null,
      provider: of.automaticTax ? 'stripe' : null,
      // Before the payer gives an address there is nothing to compute from: see AutomaticTax.status in the SDK.
      status: of.automaticTax ? 'requires_location_inputs' : null,
    },
    billing_address_collection: null,
    cancel_url: of.cancelUrl,
    client_reference_id: of.clientReferenceId,
    client_secret: null,
    collected_information: null,
    consent: null,
    consent_collection: null,
    currency: of.currency,
    currency_conversion: null,
    custom_fields: [],
    custom_text: {
      after_submit: null,
      shipping_address: null,
      submit: null,
      terms_of_service_acceptance: null,
    },
    customer: of.customer,
    customer_account: null,
    customer_creation: of.customer === null ? (of.customerCreation ?? 'if_required') : null,
    customer_details: null,
    customer_email: of.customerEmail,
    discounts: [],
    expires_at: of.expiresAt,
    integration_identifier: null,
    invoice: null,
    invoice_creation: {
      enabled: of.invoice !== null,
      invoice_data: {
        account_tax_ids: null,
        custom_fields: null,
        description: of.invoice?.description ?? null,
        footer: of.invoice?.footer ?? null,
        issuer: null,
        metadata: of.invoice?.metadata ?? {},
        rendering_options: null,
      },
    },
    locale: of.locale,
    managed_payments: null,
    metadata: of.metadata,
    mode: 'payment',
    origin_context: null,
    payment_intent: null,
    payment_link: null,
    payment_method_collection: 'if_required',
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: of.paymentMethodTypes,
    payment_status: 'unpaid',
    permissions: null,
    phone_number_collection: { enabled: false },
    recovered_from: null,
    saved_payment_method_options: null,
    setup_intent: null,
    shipping_address_collection: null,
    shipping_cost: null,
    shipping_options: [],
    status: 'open',
    submit_type: null,
    subscription: null,
    success_url: of.successUrl,
    tax_id_collection: { enabled: of.taxIdCollection, required: 'never' },
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    ui_mode: 'hosted_page',
    url: of.url,
    wallet_options: null,
  };
}

export function paymentIntent(
  birth: Birth,
  of: {
    amountMinor: number;
    currency: string;
    customer: string | null;
    description: string | null;
    email: string | null;
    metadata: Stripe.Metadata;
    paymentMethodTypes: string[];
  },
): Stripe.PaymentIntent {
  return {
    ...birth,
    object: 'payment_intent',
    allowed_payment_method_types: null,
    amount: of.amountMinor,
    amount_capturable: 0,
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: 'automatic_async',
    client_secret: `${birth.id}_secret`,
    confirmation_method: 'automatic',
    currency: of.currency,
    customer: of.customer,
    customer_account: null,
    description: of.description,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    managed_payments: null,
    metadata: of.metadata,
    next_action: null,
    on_behalf_of: null,
    payment_method: null,
    payment_method_configuration_details: null,
    payment_method_options: {},
    payment_method_types: of.paymentMethodTypes,
    payment_record: null,
    processing: null,
    receipt_email: of.email,
    review: null,
    setup_future_usage: null,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'requires_payment_method',
    transfer_data: null,
    transfer_group: null,
  };
}

export function charge(
  birth: Birth,
  of: {
    intent: Stripe.PaymentIntent;
    status: 'succeeded' | 'pending' | 'failed';
    method: string;
    email: string | null;
  },
): Stripe.Charge {
  const { intent, status } = of;
  const failed = status === 'failed';
  return {
    ...birth,
    object: 'charge',
    amount: intent.amount,
    amount_captured: status === 'succeeded' ? intent.amount : 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: null,
    billing_details: { address: null, email: of.email, name: null, phone: null, tax_id: null },
    calculated_statement_descriptor: null,
    captured: !failed,
    currency: intent.currency,
    customer: intent.customer,
    description: intent.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: failed ? 'card_declined' : null,
    failure_message: failed ? 'Your card was declined.' : null,
    fraud_details: {},
    // A charge takes over the metadata of its payment intent: https://docs.stripe.com/api/payment_intents/object
    metadata: { ...intent.metadata },
    on_behalf_of: null,
    outcome: null,
    paid: status === 'succeeded',
    payment_intent: intent.id,
    payment_method: null,
    payment_method_details: { type: of.method },
    receipt_email: null,
    receipt_number: null,
    receipt_url: failed ? null : `https://pay.stripe.com/receipts/payment/${birth.id}`,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status,
    transfer_data: null,
    transfer_group: null,
  };
}

export function refund(
  birth: Birth,
  of: {
    charge: Stripe.Charge;
    amountMinor: number;
    reason: Stripe.Refund.Reason | null;
    metadata: Stripe.Metadata;
  },
): Stripe.Refund {
  return {
    id: birth.id,
    object: 'refund',
    amount: of.amountMinor,
    balance_transaction: null,
    charge: of.charge.id,
    created: birth.created,
    currency: of.charge.currency,
    customer: of.charge.customer,
    customer_account: null,
    metadata: of.metadata,
    payment_intent: of.charge.payment_intent,
    payment_method: null,
    reason: of.reason,
    receipt_number: null,
    source_transfer_reversal: null,
    status: 'succeeded',
    transfer_reversal: null,
  };
}

export function dispute(
  birth: Birth,
  of: { charge: Stripe.Charge; amountMinor: number; inquiry: boolean },
): Stripe.Dispute {
  return {
    ...birth,
    object: 'dispute',
    amount: of.amountMinor,
    balance_transactions: [],
    charge: of.charge.id,
    currency: of.charge.currency,
    enhanced_eligibility_types: [],
    evidence: {
      access_activity_log: null,
      billing_address: null,
      cancellation_policy: null,
      cancellation_policy_disclosure: null,
      cancellation_rebuttal: null,
      customer_communication: null,
      customer_email_address: null,
      customer_name: null,
      customer_purchase_ip: null,
      customer_signature: null,
      duplicate_charge_documentation: null,
      duplicate_charge_explanation: null,
      duplicate_charge_id: null,
      enhanced_evidence: {},
      product_description: null,
      receipt: null,
      refund_policy: null,
      refund_policy_disclosure: null,
      refund_refusal_explanation: null,
      service_date: null,
      service_documentation: null,
      shipping_address: null,
      shipping_carrier: null,
      shipping_date: null,
      shipping_documentation: null,
      shipping_tracking_number: null,
      uncategorized_file: null,
      uncategorized_text: null,
    },
    evidence_details: {
      due_by: birth.created + 14 * 86_400, // s
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: 'manual',
    },
    intended_submission_method: null,
    is_charge_refundable: of.inquiry,
    metadata: {},
    payment_intent: of.charge.payment_intent,
    reason: 'fraudulent',
    status: of.inquiry ? 'warning_needs_response' : 'needs_response',
  };
}

export function balanceTransaction(
  birth: Birth,
  of: { amountMinor: number; currency: string; source: string; category: string },
): Stripe.BalanceTransaction {
  return {
    id: birth.id,
    object: 'balance_transaction',
    amount: of.amountMinor,
    available_on: birth.created,
    balance_type: 'payments',
    created: birth.created,
    currency: of.currency,
    description: null,
    exchange_rate: null,
    fee: 0,
    fee_details: [],
    net: of.amountMinor,
    reporting_category: of.category,
    source: of.source,
    status: 'available',
    type: 'adjustment',
  };
}

export function invoice(
  birth: Birth,
  of: { session: Stripe.Checkout.Session; number: string },
): Stripe.Invoice {
  const { session } = of;
  const subtotal = session.amount_subtotal ?? 0;
  const total = session.amount_total ?? 0;
  const data = session.invoice_creation?.invoice_data;
  const page = `https://invoice.stripe.com/i/${birth.id}`;
  return {
    ...birth,
    object: 'invoice',
    account_country: 'US',
    account_name: null,
    account_tax_ids: null,
    amount_due: total,
    amount_overpaid: 0,
    amount_paid: total,
    amount_remaining: 0,
    amount_shipping: 0,
    application: null,
    attempt_count: 0,
    attempted: true,
    auto_advance: false,
    automatic_tax: {
      disabled_reason: null,
      enabled: session.automatic_tax.enabled,
      liability: null,
      provider: session.automatic_tax.provider,
      status: session.automatic_tax.enabled ? 'complete' : null,
    },
    automatically_finalizes_at: null,
    billing_reason: 'manual',
    collection_method: 'charge_automatically',
    currency: session.currency ?? 'usd',
    custom_fields: null,
    customer: session.customer,
    customer_account: null,
    customer_address: null,
    customer_email: session.customer_details?.email ?? null,
    customer_name: null,
    customer_phone: null,
    customer_shipping: null,
    customer_tax_exempt: 'none',
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: data?.description ?? null,
    discounts: [],
    due_date: null,
    effective_at: birth.created,
    ending_balance: 0,
    footer: data?.footer ?? null,
    from_invoice: null,
    hosted_invoice_url: page,
    invoice_pdf: `${page}/pdf`,
    issuer: { type: 'self' },
    last_finalization_error: null,
    latest_revision: null,
    lines: list(`/v1/invoices/${birth.id}/lines`, []),
    metadata: data?.metadata ?? {},
    next_payment_attempt: null,
    number: of.number,
    on_behalf_of: null,
    parent: null,
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: birth.created,
    period_start: birth.created,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: 0,
    statement_descriptor: null,
    status: 'paid',
    status_transitions: {
      finalized_at: birth.created,
      marked_uncollectible_at: null,
      paid_at: birth.created,
      voided_at: null,
    },
    subtotal,
    subtotal_excluding_tax: subtotal,
    test_clock: null,
    total,
    total_discount_amounts: [],
    total_excluding_tax: total - (session.total_details?.amount_tax ?? 0),
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: null,
  };
}

export function portalSession(
  birth: Birth,
  of: { customer: string; returnUrl: string | null },
): Stripe.BillingPortal.Session {
  return {
    ...birth,
    object: 'billing_portal.session',
    configuration: 'bpc_default',
    customer: of.customer,
    customer_account: null,
    flow: null,
    locale: null,
    on_behalf_of: null,
    return_url: of.returnUrl,
    url: `https://billing.stripe.com/p/session/${birth.livemode ? 'live' : 'test'}_${birth.id}`,
  };
}
